import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { composeMessage, envelopeOf } from '../../../../relay/client/compose/compose.ts';
import { openHandOver } from '../../../../relay/client/outbox/hand-over.ts';
import type { Parcel } from '../../../../relay/client/outbox/parcel.ts';
import { freePort } from '../../../kit/ports.ts';
import { until } from '../../../kit/until.ts';
import { type AcceptingRelay, refusal, startAcceptingRelay } from '../accepting-relay.ts';
import { insert, silentLog as log, startPostern, type TestPostern } from '../postern.ts';

const parcelFor = async ({ database }: TestPostern, text = 'Hello Ann'): Promise<WholeParcel> => {
  const { id, token, claim } = await insert(database, { text });
  if (!claim) throw new Error('an immediate mail is claimed');
  return { id, token, bytes: await composeMessage(claim), envelope: envelopeOf(claim) };
};

type WholeParcel = Parcel & { readonly bytes: Buffer };

const openTo = ({ port, user, password }: Pick<AcceptingRelay, 'port' | 'user' | 'password'>, sessions = 4) =>
  openHandOver({ host: '127.0.0.1', port, user, password, sessions, log });

test('the relay gets the bytes as composed, behind the field that names the email', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay);
  const parcel = await parcelFor(postern, 'one\n.\n..two\nthree');

  const result = await handOver.handOver(parcel);

  expect(result).toEqual({ outcome: 'accepted', queueId: relay.taken[0]?.queueId });
  const field = `X-Postern-Email: ${parcel.id} ${parcel.token.toString('hex')}\r\n`;
  expect(relay.taken[0]?.raw.toString('latin1')).toBe(`${field}${parcel.bytes.toString('latin1')}`);
});

test('a second hand-over is answered like the first and changes nothing', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay);
  const parcel = await parcelFor(postern);
  const first = await handOver.handOver(parcel);
  expect(await handOver.handOver(parcel)).toEqual(first);
});

test('a message in pieces arrives as one in whole, also when the session was lost meanwhile', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay, 1);
  await handOver.handOver(await parcelFor(postern));
  const { bytes, ...parcel } = await parcelFor(postern, 'line\n'.repeat(20_000));
  let opened = 0;
  async function* pieces() {
    opened++;
    for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000);
  }
  await relay.stop();
  await relay.start();

  const inPieces = { ...parcel, bytes: { leastBytes: bytes.length, pieces } };
  expect(await handOver.handOver(inPieces)).toMatchObject({ outcome: 'accepted' });
  expect(opened).toBe(1);
  expect(relay.taken[1]?.raw.toString('latin1')).toMatch(bytes.toString('latin1'));
});

test('a message that cannot be read says nothing about the relay, and no part of it counts', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay, 1);
  const parcel = await parcelFor(postern);
  async function* pieces() {
    yield parcel.bytes.subarray(0, 50);
    throw new Error('the attachment is gone');
  }
  const broken = { ...parcel, bytes: { leastBytes: parcel.bytes.length, pieces } };
  expect(await handOver.handOver(broken)).toMatchObject({
    outcome: 'away',
    why: expect.stringContaining('the attachment is gone'),
  });
  expect(relay.taken).toEqual([]);
  expect(await handOver.handOver(parcel)).toMatchObject({ outcome: 'accepted' });
});

test('sessions are reused, and there are never more than allowed', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay, 3);
  const parcels = await Promise.all(Array.from({ length: 30 }, () => parcelFor(postern)));
  const results = await Promise.all(parcels.map((parcel) => handOver.handOver(parcel)));
  expect(results.every(({ outcome }) => outcome === 'accepted')).toBe(true);
  expect(relay.connections).toBe(3);
});

test('a refused message is refused with the words of the relay, and the session goes on', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay, 1);
  const wrong = { ...(await parcelFor(postern)), token: Buffer.alloc(32) };
  expect(await handOver.handOver(wrong)).toEqual({
    outcome: 'refused',
    code: 550,
    enhanced: '5.7.1',
    reply: '550 5.7.1 wrong token',
  });
  relay.onRecipient = () => {
    throw refusal(553, '5.1.3 bad address');
  };
  expect(await handOver.handOver(await parcelFor(postern))).toMatchObject({ outcome: 'refused', code: 553 });
  relay.onRecipient = () => {};
  expect(await handOver.handOver(await parcelFor(postern))).toMatchObject({ outcome: 'accepted' });
  expect(relay.connections).toBe(1);
});

test('a message larger than the relay takes is refused before it is sent', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url, { size: 10_000 });
  await using handOver = openTo(relay);
  const parcel = await parcelFor(postern, 'x'.repeat(20_000));
  expect(await handOver.handOver(parcel)).toMatchObject({ outcome: 'refused', code: 552, enhanced: '5.3.4' });
});

test.each([
  ['is busy', 451, '4.3.0 try again later'],
  ['is closing down', 421, '4.3.2 closing'],
])('a relay that %s refuses nothing', async (_, code, words) => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay);
  relay.before = () => {
    throw refusal(code, words);
  };
  const parcel = await parcelFor(postern);
  expect(await handOver.handOver(parcel)).toMatchObject({
    outcome: 'away',
    why: expect.stringContaining(words),
  });
  relay.before = () => {};
  await until(async () => (await handOver.handOver(parcel)).outcome === 'accepted');
});

test('a relay that asks for a password first says nothing about a recipient', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay);
  relay.onRecipient = () => {
    throw refusal(530, '5.7.0 Authentication required');
  };
  const parcel = await parcelFor(postern);
  expect(await handOver.handOver(parcel)).toMatchObject({
    outcome: 'away',
    why: expect.stringContaining('530'),
  });
  relay.onRecipient = () => {};
  await until(async () => (await handOver.handOver(parcel)).outcome === 'accepted');
});

test('a relay that does not know our password is away, not refusing the mail', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo({ ...relay, password: 'wrong' });
  expect(await handOver.handOver(await parcelFor(postern))).toMatchObject({
    outcome: 'away',
    why: expect.stringContaining('535'),
  });
});

test('a relay that was restarted between two mails is not noticed', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay);
  expect(await handOver.handOver(await parcelFor(postern))).toMatchObject({ outcome: 'accepted' });
  await relay.stop();
  await relay.start();
  expect(await handOver.handOver(await parcelFor(postern))).toMatchObject({ outcome: 'accepted' });
});

test('while nobody listens every caller learns it at once, and mail moves again when somebody does', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay);
  await relay.stop();
  const parcel = await parcelFor(postern);
  expect(await handOver.handOver(parcel)).toMatchObject({
    outcome: 'away',
    why: expect.stringContaining('ECONNREFUSED'),
  });
  await relay.start();
  await until(async () => (await handOver.handOver(parcel)).outcome === 'accepted');
});

test('a caller waits no longer than it said, and the mail may still arrive', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using handOver = openTo(relay, 1);
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
  relay.before = () => mayAnswer;
  const parcel = await parcelFor(postern);

  const begun = performance.now();
  const slow = handOver.handOver(parcel, { timeoutMs: 200 });
  // With the only session taken, this one does not even begin.
  const behind = handOver.handOver(await parcelFor(postern), { timeoutMs: 100 });
  expect(await behind).toMatchObject({ outcome: 'away' });
  expect(await slow).toMatchObject({
    outcome: 'away',
    why: expect.stringContaining('no answer within 200 ms'),
  });
  expect(performance.now() - begun).toBeLessThan(2_000);

  answer();
  await until(() => relay.taken.length === 1);
  expect(
    await until(async () => {
      const again = await handOver.handOver(parcel);
      return again.outcome === 'accepted' && again;
    }),
  ).toEqual({ outcome: 'accepted', queueId: relay.taken[0]?.queueId });
});

test('a server that accepts connections and says nothing keeps nobody waiting twice', async () => {
  await using postern = await startPostern();
  const port = await freePort();
  const sockets = new Set<import('node:net').Socket>();
  const silent = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));
  {
    await using handOver = openTo({ port, user: 'postern', password: 'x' });
    expect(await handOver.handOver(await parcelFor(postern), { timeoutMs: 100 })).toMatchObject({
      outcome: 'away',
    });
    const parcels = await Promise.all(Array.from({ length: 20 }, () => parcelFor(postern)));
    const waits = await Promise.all(
      parcels.map(async (parcel) => {
        const begun = performance.now();
        expect(await handOver.handOver(parcel, { timeoutMs: 3_000 })).toMatchObject({ outcome: 'away' });
        return performance.now() - begun;
      }),
    );
    // One at most has to find out whether it speaks by now.
    expect(waits.filter((ms) => ms > 1_500).length).toBeLessThanOrEqual(1);
  }
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

test('stopping answers those who wait and ends all sessions', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const handOver = openTo(relay, 1);
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
  relay.before = () => mayAnswer;
  const held = [handOver.handOver(await parcelFor(postern)), handOver.handOver(await parcelFor(postern))];
  await until(() => relay.connections === 1);
  await handOver[Symbol.asyncDispose]();
  expect(await Promise.all(held)).toMatchObject([{ outcome: 'away' }, { outcome: 'away' }]);
  expect(await handOver.handOver(await parcelFor(postern))).toMatchObject({ outcome: 'away' });
  answer();
});
