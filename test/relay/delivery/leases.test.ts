// Claims whose relay is gone: what becomes of the mail, and who may say so.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { claimDueMail } from '../../../relay/delivery/queue/claim.ts';
import { reapLeases, renewLeases } from '../../../relay/delivery/queue/leases.ts';
import { resendUncertain } from '../../../relay/delivery/queue/uncertain.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { eventsOf, type QueuedMail, queueMail, recipientsOf } from './way-out.ts';

const reaping = { leaseMs: 0, resendMs: 60_000, policy: 'resend' } as const;

type Lost = { readonly marked?: boolean; readonly resends?: number; readonly leaseSeconds?: number };

/** A mail in the hands of a relay that will not be heard of again. */
async function sending(
  { query }: TestDatabase,
  { marked = false, resends = 0, leaseSeconds = -1 }: Lost = {},
  mail: QueuedMail = {},
): Promise<string> {
  const { queueId } = await queueMail(query, mail);
  await query(
    `update recipient set status = 'sending', next_attempt_at = null, claim_token = gen_random_uuid(),
       claimed_by = gen_random_uuid(), lease_until = now() + make_interval(secs => $2),
       marked_at = case when $3 then now() end, resends = $4
     where queue_id = $1`,
    [queueId, leaseSeconds, marked, resends],
  );
  return queueId;
}

const firstOf = async ({ query }: TestDatabase, queueId: string) => (await recipientsOf(query, queueId))[0];

test('what had no mark is queued again; what had one is uncertain, and is sent again late', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const unmarked = await sending(given);
  const marked = await sending(given, { marked: true });
  const reaped = await reapLeases(database, reaping);
  expect(new Map(reaped.map(({ queueId, status }) => [queueId, status]))).toEqual(
    new Map([
      [unmarked, 'queued'],
      [marked, 'uncertain'],
    ]),
  );
  expect(await firstOf(given, unmarked)).toMatchObject({ status: 'queued', reason: null, resends: 0 });
  const uncertain = await firstOf(given, marked);
  expect(uncertain).toMatchObject({ status: 'uncertain', reason: 'relay-lost', markedAt: expect.any(Date) });
  expect(uncertain?.nextInSeconds).toBeGreaterThan(50);
  expect(await resendUncertain(database)).toEqual([]);
  expect((await eventsOf(given.query, marked)).map(({ type }) => type)).toEqual(['uncertain']);
  expect((await eventsOf(given.query, unmarked)).map(({ type }) => type)).toEqual(['requeued']);
});

test('a mail that was sent twice without an answer is held, and no third copy leaves', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const queueId = await sending(given, { marked: true, resends: 1 });
  await reapLeases(database, { ...reaping, resendMs: 0 });
  expect(await firstOf(given, queueId)).toMatchObject({
    status: 'held',
    reason: 'uncertain-twice',
    nextInSeconds: null,
    markedAt: expect.any(Date),
  });
});

test.each([
  ['the relay', 'hold', null],
  ['its submitter', 'resend', 'hold'],
] as const)('no second copy leaves when %s does not want one', async (_, policy, onUncertain) => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const queueId = await sending(given, { marked: true }, onUncertain ? { onUncertain } : {});
  await reapLeases(database, { leaseMs: 0, resendMs: 0, policy });
  expect(await firstOf(given, queueId)).toMatchObject({ status: 'uncertain', nextInSeconds: null });
  expect(await resendUncertain(database)).toEqual([]);
});

test('nobody is lost whose lease lasts, nor in the first lease after PostgreSQL came up', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await sending(given, { leaseSeconds: 60 });
  expect(await reapLeases(database, reaping)).toEqual([]);
  await sending(given);
  const { rows } = await given.query<{ up: number }>(
    'select extract(epoch from now() - pg_postmaster_start_time())::float8 * 1000 as up',
  );
  expect(await reapLeases(database, { ...reaping, leaseMs: (rows[0]?.up ?? 0) + 60_000 })).toEqual([]);
  expect(await reapLeases(database, reaping)).toHaveLength(1);
});

test('a lease is renewed for whoever holds the claim, and for nobody else', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const { queueId } = await queueMail(given.query);
  const [mail] = await claimDueMail(database, { instance: randomUUID(), leaseMs: -1, limit: 1 });
  const other = await sending(given);
  await renewLeases(database, [mail?.token ?? ''], 60_000);
  expect((await reapLeases(database, reaping)).map((reaped) => reaped.queueId)).toEqual([other]);
  expect(await firstOf(given, queueId)).toMatchObject({ status: 'sending' });
});

test.each([
  [59, true],
  [40, false],
])('a lease that has %i of 60 seconds left is as it was: %s', async (leaseSeconds, isKept) => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await sending(given, { leaseSeconds });
  const read = () =>
    given.query<{ token: string; until: string }>(
      'select claim_token as token, lease_until::text as until from recipient',
    );
  const [before] = (await read()).rows;
  await renewLeases(database, [before?.token ?? ''], 60_000);
  expect((await read()).rows[0]?.until === before?.until).toBe(isKept);
});

test('what is uncertain is sent again when its time has come, not before', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const queueId = await sending(given, { marked: true });
  await reapLeases(database, reaping);
  expect(await resendUncertain(database)).toEqual([]);
  await given.query('update recipient set next_attempt_at = now()');
  expect(await resendUncertain(database)).toEqual([queueId]);
  expect(await firstOf(given, queueId)).toMatchObject({ status: 'queued', resends: 1, markedAt: null });
  expect(await resendUncertain(database)).toEqual([]);
});
