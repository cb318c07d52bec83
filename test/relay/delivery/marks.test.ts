// The mark before the final dot: who may set it, and when the dot may follow it.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { claimDueMail } from '../../../relay/delivery/queue/claim.ts';
import { openMarks } from '../../../relay/delivery/queue/marks.ts';
import type { ClaimedMail } from '../../../relay/policy/claimed-mail.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { until } from '../../kit/until.ts';
import { queueMail, recipientsOf } from './way-out.ts';

async function claimMail(
  database: Database,
  { query }: TestDatabase,
  { leaseMs = 60_000, to = ['ann@example.org'] }: { leaseMs?: number; to?: string[] } = {},
): Promise<ClaimedMail> {
  await queueMail(query, { to });
  const [mail] = await claimDueMail(database, { instance: randomUUID(), leaseMs, limit: 10 });
  if (!mail) throw new Error('not claimed');
  return mail;
}

const marksOf = async ({ query }: TestDatabase, { queueId }: ClaimedMail) =>
  (await recipientsOf(query, queueId)).map(({ markedAt }) => markedAt);

test('a claim whose lease has run out sets no mark, also before anybody has noticed', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const mail = await claimMail(database, given, { leaseMs: -1 });
  const { queueId, token } = mail;
  expect(await openMarks(database).mark({ queueId, token, ordinals: [0] })).toBeUndefined();
  expect(await marksOf(given, mail)).toEqual([null]);
});

test('a claim that somebody else has by now sets no mark', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const mail = await claimMail(database, given);
  const { queueId } = mail;
  expect(await openMarks(database).mark({ queueId, token: randomUUID(), ordinals: [0] })).toBeUndefined();
  expect(await marksOf(given, mail)).toEqual([null]);
});

test('the dot may follow only when every recipient bears the mark', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const { queueId, token } = await claimMail(database, given, { to: ['ann@example.org', 'bob@example.org'] });
  const marks = openMarks(database);
  expect(await marks.mark({ queueId, token, ordinals: [0, 1] })).toBeDefined();
  await given.query("update recipient set lease_until = now() - interval '1 second' where ordinal = 1");
  expect(await marks.mark({ queueId, token, ordinals: [0, 1] })).toBeUndefined();
  expect(await marks.mark({ queueId, token, ordinals: [] })).toBeUndefined();
});

test('of several mails that ask together each learns of its own mark', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const lost = await claimMail(database, given, { leaseMs: -1 });
  const ours = await claimMail(database, given);
  const marks = openMarks(database);
  const askedAfter = performance.now();
  const [first, second] = await Promise.all(
    [lost, ours].map(({ queueId, token }) => marks.mark({ queueId, token, ordinals: [0] })),
  );
  expect(first).toBeUndefined();
  expect(second?.askedAt).toBeGreaterThanOrEqual(askedAfter);
  expect(await marksOf(given, lost)).toEqual([null]);
  expect(await marksOf(given, ours)).toEqual([expect.any(Date)]);
});

test('who asks while a mark is under way goes with the next', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await using other = openDatabase({ url: given.url, applicationName: 'other', max: 1 });
  const first = await claimMail(database, given);
  const second = await claimMail(database, given);
  const marks = openMarks(database);
  const mark = ({ queueId, token }: ClaimedMail) => marks.mark({ queueId, token, ordinals: [0] });
  const both = await other.transaction(async (tx) => {
    await tx.query('select from recipient where queue_id = $1 for update', [first.queueId]);
    const underWay = mark(first);
    await until(
      async () => {
        const { rowCount } = await given.query(
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        return rowCount === 1;
      },
      { what: 'the first mark to wait for the lock' },
    );
    return [underWay, mark(second)];
  });
  expect(await Promise.all(both)).toEqual([
    { markedAt: expect.any(String), askedAt: expect.any(Number) },
    { markedAt: expect.any(String), askedAt: expect.any(Number) },
  ]);
});

test('a database that does not answer leaves nobody without an answer', async () => {
  await using given = await freshDatabase();
  const database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const { queueId, token } = await claimMail(database, given);
  await database[Symbol.asyncDispose]();
  const marks = openMarks(database);
  await expect(marks.mark({ queueId, token, ordinals: [0] })).rejects.toThrow();
  await expect(marks.mark({ queueId, token, ordinals: [0] })).rejects.toThrow();
});
