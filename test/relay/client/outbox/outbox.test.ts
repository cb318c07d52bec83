import { simpleParser } from 'mailparser';
import { expect, test } from 'vitest';
import { readEmail } from '../../../../relay/client/email/row.ts';
import { readTimeline } from '../../../../relay/client/email/timeline.ts';
import { cancelEmail } from '../../../../relay/client/outbox/cancel.ts';
import { claimDueEmails, handBack } from '../../../../relay/client/outbox/claim.ts';
import { editEmail } from '../../../../relay/client/outbox/edit.ts';
import { openHandOver } from '../../../../relay/client/outbox/hand-over.ts';
import { handOverClaimed, handOverNow } from '../../../../relay/client/outbox/hand-over-email.ts';
import { nextDueInMs } from '../../../../relay/client/outbox/outbox.ts';
import { recordHandOver } from '../../../../relay/client/outbox/record.ts';
import { until } from '../../../kit/until.ts';
import { type AcceptingRelay, refusal, startAcceptingRelay } from '../accepting-relay.ts';
import {
  ampleBudget,
  inSeconds,
  insert,
  silentLog as log,
  startPostern,
  type TestPostern,
} from '../postern.ts';

const due = (postern: TestPostern, changes: Parameters<typeof insert>[1] = {}) =>
  insert(postern.database, { dueAt: inSeconds(-1), ...changes });

const deps = ({ database }: TestPostern, { port, user, password }: AcceptingRelay) => {
  const handOver = openHandOver({ host: '127.0.0.1', port, user, password, sessions: 4, log });
  return {
    database,
    handOver,
    budget: ampleBudget(),
    log,
    [Symbol.asyncDispose]: () => handOver[Symbol.asyncDispose](),
  };
};

test('what is due is claimed once, whoever asks at the same time', async () => {
  await using postern = await startPostern();
  for (let i = 0; i < 60; i++) await due(postern);
  await insert(postern.database, { dueAt: inSeconds(60) });
  await due(postern, { paused: true });

  const claims = await Promise.all(
    Array.from({ length: 10 }, () => claimDueEmails(postern.database, { limit: 10 })),
  );
  claims.push(await claimDueEmails(postern.database, { limit: 100 }));

  const ids = claims.flat().map(({ id }) => id);
  expect(ids).toHaveLength(60);
  expect(new Set(ids).size).toBe(60);
  expect(await claimDueEmails(postern.database, { limit: 100 })).toEqual([]);
});

test('a claim whose lease ran out is claimed again', async () => {
  await using postern = await startPostern();
  const { id } = await due(postern);
  expect(await claimDueEmails(postern.database, { limit: 1, leaseSeconds: -1 })).toMatchObject([
    { id, attempts: 1 },
  ]);
  expect(await claimDueEmails(postern.database, { limit: 1 })).toMatchObject([{ id, attempts: 2 }]);
});

test('what was claimed but not begun goes back at once, unless it is another’s by now', async () => {
  await using postern = await startPostern();
  await due(postern);
  const mine = await claimDueEmails(postern.database, { limit: 1 });
  await handBack(postern.database, mine);
  const theirs = await claimDueEmails(postern.database, { limit: 1, leaseSeconds: -1 });
  expect(theirs).toMatchObject([{ attempts: 1 }]);
  const mineAgain = await claimDueEmails(postern.database, { limit: 1 });
  await handBack(postern.database, theirs);
  expect(await claimDueEmails(postern.database, { limit: 1 })).toEqual([]);
  await handBack(postern.database, mineAgain);
  expect(await claimDueEmails(postern.database, { limit: 1 })).toHaveLength(1);
});

test('what was cancelled after it was claimed does not go back, and keeps no other from it', async () => {
  await using postern = await startPostern();
  const { id: cancelled } = await due(postern);
  const { id: other } = await due(postern);
  const claimed = await claimDueEmails(postern.database, { limit: 2 });
  await cancelEmail(postern.database, cancelled, 'ann');
  await handBack(postern.database, claimed);
  expect(await readEmail(postern.database, cancelled)).toMatchObject({ status: 'cancelled' });
  expect(await claimDueEmails(postern.database, { limit: 2 })).toMatchObject([{ id: other }]);
});

test('mail that is later than its max_lateness expires instead of leaving', async () => {
  await using postern = await startPostern();
  const { id: late } = await insert(postern.database, { dueAt: inSeconds(-3700), maxLateness: 'PT1H' });
  const { id: inTime } = await insert(postern.database, { dueAt: inSeconds(-3500), maxLateness: 'PT1H' });
  expect(await claimDueEmails(postern.database, { limit: 10 })).toMatchObject([{ id: inTime }]);
  expect(await readEmail(postern.database, late)).toMatchObject({ status: 'expired', reason: 'too-late' });
  expect((await readTimeline(postern.database, late)).map(({ type }) => type)).toEqual([
    'created',
    'expired',
  ]);
});

test('the next due time is told in milliseconds by the clock of the database', async () => {
  await using postern = await startPostern();
  expect(await nextDueInMs(postern.database)).toBeUndefined();
  await insert(postern.database, { dueAt: inSeconds(5), paused: true });
  expect(await nextDueInMs(postern.database)).toBeUndefined();
  await insert(postern.database, { dueAt: inSeconds(100) });
  const far = await nextDueInMs(postern.database);
  expect(far).toBeGreaterThan(90_000);
  expect(far).toBeLessThanOrEqual(100_000);
  await due(postern);
  expect(await nextDueInMs(postern.database)).toBeLessThan(0);
});

test('an email is handed over right after the commit and is the relay’s from then on', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using tools = deps(postern, relay);
  const attachments = [{ filename: 'a.txt', contentType: 'text/plain', content: Buffer.from('attached') }];
  const { id, claim } = await insert(postern.database, { attachments });
  if (!claim) throw new Error('not claimed');
  const result = await handOverNow(tools, claim, 2_000);
  expect(result).toEqual({ outcome: 'accepted', queueId: relay.taken[0]?.queueId });
  expect(await readEmail(postern.database, id)).toMatchObject({
    status: 'queued',
    queueId: relay.taken[0]?.queueId,
  });
  const parsed = await simpleParser(relay.taken[0]?.raw ?? '');
  expect(parsed.attachments[0]?.content.toString()).toBe('attached');
});

test('by its id only mail that is due and free is handed over', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using tools = deps(postern, relay);
  const { id: leased } = await insert(postern.database);
  const { id: future } = await insert(postern.database, { dueAt: inSeconds(60) });
  const { id: paused } = await due(postern, { paused: true });
  const { id: late } = await insert(postern.database, { dueAt: inSeconds(-3700), maxLateness: 'PT1H' });
  const { id: ready } = await due(postern);
  for (const id of [leased, future, paused, late])
    expect(await handOverNow(tools, id, 2_000)).toBeUndefined();
  expect(await handOverNow(tools, ready, 2_000)).toMatchObject({ outcome: 'accepted' });
  expect(relay.taken).toHaveLength(1);
});

test('a refused email is held with the words of the relay', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using tools = deps(postern, relay);
  relay.before = () => {
    throw refusal(550, '5.7.1 this sender is not allowed');
  };
  const { id, claim } = await insert(postern.database);
  if (!claim) throw new Error('not claimed');
  await handOverClaimed(tools, claim);
  expect(await readEmail(postern.database, id)).toMatchObject({
    status: 'held',
    reason: 'relay-refused',
    reasonDetail: '550 5.7.1 this sender is not allowed',
  });
  expect((await readTimeline(postern.database, id)).at(-1)).toMatchObject({
    type: 'hand-over-refused',
    detail: { code: 550, enhanced: '5.7.1' },
  });
});

test('a relay that is away is told once for each reason, and the mail is tried again within five seconds', async () => {
  await using postern = await startPostern();
  const email = await insert(postern.database);
  const { id } = email;
  const away = (why: string) => recordHandOver(postern.database, email, { outcome: 'away', why });
  for (let i = 0; i < 3; i++) await away('connect ECONNREFUSED');
  await away('451 4.3.0 later');
  const failures = (await readTimeline(postern.database, id)).filter(
    ({ type }) => type === 'hand-over-failed',
  );
  expect(failures.map(({ detail }) => detail.why)).toEqual(['connect ECONNREFUSED', '451 4.3.0 later']);
  expect(await readEmail(postern.database, id)).toMatchObject({ status: 'pending', reason: 'relay-away' });

  await postern.db.query('update email set hand_over_attempts = 1000');
  await away('451 4.3.0 later');
  const { rows } = await postern.db.query(
    'select extract(epoch from next_hand_over_at - updated_at)::float8 as seconds from email',
  );
  expect(rows).toEqual([{ seconds: 5 }]);
});

test('what the relay answers too late does not undo what happened meanwhile', async () => {
  await using postern = await startPostern();
  const email = await insert(postern.database);
  const answers = [
    { outcome: 'refused', code: 554, enhanced: '5.7.1', reply: '554 no' },
    { outcome: 'away', why: 'time-out' },
  ] as const;

  const olderVersion = { ...email, token: Buffer.alloc(32) };
  for (const answer of answers) await recordHandOver(postern.database, olderVersion, answer);
  expect(await readEmail(postern.database, email.id)).toMatchObject({ status: 'pending', reason: null });

  await cancelEmail(postern.database, email.id, 'ann');
  for (const answer of answers) await recordHandOver(postern.database, email, answer);
  expect(await readEmail(postern.database, email.id)).toMatchObject({
    status: 'cancelled',
    reason: 'on-request',
  });
  expect((await readTimeline(postern.database, email.id)).map(({ type }) => type)).toEqual([
    'created',
    'cancelled',
  ]);
});

test('mail that is large leaves when there is memory for it, is left in the outbox until then, and is not claimed twice', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url, { size: 10_000_000 });
  await using tools = deps(postern, relay);
  const content = Buffer.alloc(1_000_000, 'postern');
  const text = 'Grüße\r\n'.repeat(20_000);
  const attachments = [{ filename: 'a.bin', contentType: 'application/octet-stream', content }];
  const { id } = await due(postern, { attachments, text });
  const [claim] = await claimDueEmails(postern.database, { limit: 1 });
  if (!claim) throw new Error('not claimed');
  expect(claim).toMatchObject({ text: null, textBytes: 160_000 + 20_000, attachedBytes: 1_000_000 });

  {
    using _all = await tools.budget.reserve(tools.budget.total);
    expect(await handOverClaimed(tools, claim)).toBeUndefined();
    expect(tools.budget.refused).toBe(1);
  }
  const [again] = await until(async () => {
    const claimed = await claimDueEmails(postern.database, { limit: 1 });
    return claimed.length > 0 && claimed;
  });
  if (!again) throw new Error('not claimed again');
  // Somebody else has it by now.
  expect(await handOverClaimed(tools, { ...again, attempts: again.attempts - 1 })).toBeUndefined();
  expect(relay.taken).toEqual([]);

  const waiting = relay.before;
  relay.before = async () => {
    // The lease was renewed, for as long as so many octets may take.
    const { rows } = await postern.database.query<{ seconds: number }>(
      'select extract(epoch from next_hand_over_at - now())::float8 as seconds from email where id = $1',
      [id],
    );
    expect(rows[0]?.seconds).toBeGreaterThan(20);
    await waiting(id);
  };
  expect(await handOverClaimed(tools, again)).toMatchObject({ outcome: 'accepted' });
  const parsed = await simpleParser(relay.taken[0]?.raw ?? '');
  expect(parsed.attachments[0]?.content.equals(content)).toBe(true);
  expect(parsed.text).toBe(text.replaceAll('\r\n', '\n'));
  expect(tools.budget.reserved).toBe(0);
});

test.each(['changed', 'cancelled'])(
  'large mail that was %s while it waited for memory is left alone',
  async (how) => {
    await using postern = await startPostern();
    await using relay = await startAcceptingRelay(postern.db.url, { size: 10_000_000 });
    await using tools = deps(postern, relay);
    const { id } = await due(postern, { text: 'Hello\r\n'.repeat(20_000) });
    const [claim] = await claimDueEmails(postern.database, { limit: 1 });
    if (!claim) throw new Error('not claimed');
    if (how === 'cancelled') await cancelEmail(postern.database, id, 'ann');
    else
      await postern.database.transaction((tx) =>
        editEmail(tx, id, { subject: 'Another', dueAt: inSeconds(60) }, { actor: 'ann' }),
      );

    expect(await handOverClaimed(tools, claim)).toBeUndefined();
    expect(relay.connections).toBe(0);
  },
);
