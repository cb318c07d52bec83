// What a relay may take from the queue, and that half a mail is never taken for a whole one.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { claimDueMail, claimHeld, readParts } from '../../../relay/delivery/queue/claim.ts';
import { holdSender } from '../../../relay/lane-state/sender-holds.ts';
import type { ClaimedMail } from '../../../relay/policy/claimed-mail.ts';
import { freshDatabase } from '../../kit/database.ts';
import { queueMail, recipientsOf } from './way-out.ts';

const lease = { instance: randomUUID(), leaseMs: 60_000 };
const claim = (database: Database) => claimDueMail(database, { ...lease, limit: 500 });

/** Which recipients of which mails. */
const taken = (claimed: readonly ClaimedMail[]) =>
  claimed.map(({ queueId, recipients }) => [queueId, recipients.map(({ ordinal }) => ordinal)]);

test('a recipient that is put off, over or with somebody else is not taken along with one that is due', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const to = Array.from({ length: 8 }, (_, index) => `r${index}@example.org`);
  const { queueId } = await queueMail(given.query, { to });
  const become = (ordinal: number, assignments: string) =>
    given.query(`update recipient set ${assignments} where ordinal = $1`, [ordinal]);
  await become(1, "status = 'deferred', next_attempt_at = now() + interval '1 hour'");
  await become(2, "status = 'sent', next_attempt_at = null, finished_at = now()");
  await become(3, "status = 'held', reason = 'test', next_attempt_at = null");
  await become(4, "status = 'uncertain', marked_at = now(), next_attempt_at = now()");
  await become(
    5,
    `status = 'sending', next_attempt_at = null, claim_token = gen_random_uuid(), claimed_by = gen_random_uuid(),
     lease_until = now() - interval '1 hour'`,
  );
  await become(6, "status = 'cancelled', next_attempt_at = null, finished_at = now()");
  await become(7, "status = 'deferred', next_attempt_at = now()");
  expect(taken(await claim(database))).toEqual([[queueId, [0, 7]]]);
  expect(await claim(database)).toEqual([]);
  expect((await recipientsOf(given.query, queueId)).map(({ status }) => status)).toEqual([
    'sending',
    'deferred',
    'sent',
    'held',
    'uncertain',
    'sending',
    'cancelled',
    'sending',
  ]);
});

test('two relays that ask at the same time never take the same mail', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 10 });
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    ids.push((await queueMail(given.query, { to: ['ann@example.org', 'bob@example.org'] })).queueId);
  }
  const claims = await Promise.all(
    Array.from({ length: 10 }, () => claimDueMail(database, { ...lease, limit: 10 })),
  );
  claims.push(await claim(database));
  const recipients = claims
    .flat()
    .flatMap(({ queueId, recipients }) => recipients.map(({ ordinal }) => `${queueId} ${ordinal}`));
  expect(recipients.toSorted()).toEqual(ids.flatMap((id) => [`${id} 0`, `${id} 1`]).toSorted());
});

test('a mail goes to a hundred recipients at a time', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await queueMail(given.query, { to: Array.from({ length: 150 }, (_, index) => `r${index}@example.org`) });
  const sizes = async () =>
    (await claimDueMail(database, { ...lease, limit: 1 })).map((one) => one.recipients.length);
  expect(await sizes()).toEqual([100]);
  expect(await sizes()).toEqual([50]);
  expect(await sizes()).toEqual([]);
});

test('a less urgent mail waits while only urgent mail may leave', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await queueMail(given.query, { priority: 1 });
  const urgent = await queueMail(given.query, { priority: 0 });
  const claimed = await claimDueMail(database, { ...lease, limit: 10, lowestPriority: 0 });
  expect(claimed.map(({ queueId }) => queueId)).toEqual([urgent.queueId]);
});

test('the probe of a held sender is one of its mails, held for that reason, and never one that may be out', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const lane = 'SMTP';
  const sender = 'boss@example.com';
  const held = { status: 'held', from: sender, reason: 'sender-not-owned' } as const;
  await given.query('insert into lane (key, name) values ($1, $1)', [lane]);
  const hold = { sender, cause: 'sender-not-owned', detail: '', stage: 'mail', isProbe: false };
  await holdSender(database, lane, { ...hold, probeMs: [1, 1] });
  const probe = () => claimHeld(database, { ...lease, lane, sender });

  const mayBeOut = await queueMail(given.query, held);
  await given.query('update recipient set marked_at = now() where queue_id = $1', [mayBeOut.queueId]);
  await queueMail(given.query, { ...held, reason: 'database-restored' });
  await queueMail(given.query, { ...held, from: 'ann@example.com' });
  await queueMail(given.query, { from: sender });
  expect(await probe()).toBeUndefined();

  const { queueId } = await queueMail(given.query, held);
  expect(await probe()).toMatchObject({ queueId });
  expect(await probe()).toBeUndefined();
});

test('a mail whose stored bytes are fewer or more than were accepted is not read to its end', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const content = Buffer.alloc(600_000, 'postern');
  const { queueId } = await queueMail(given.query, { content });
  const read = async (size: number) => {
    const parts: Buffer[] = [];
    for await (const part of readParts(database, queueId, size)) parts.push(part);
    return Buffer.concat(parts);
  };
  expect((await read(content.length)).equals(content)).toBe(true);
  await expect(read(content.length - 1)).rejects.toThrow('longer');
  await given.query('delete from message_part where part = 2');
  await expect(read(content.length)).rejects.toThrow('missing');
});
