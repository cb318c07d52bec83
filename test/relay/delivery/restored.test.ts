// A database that was restored from a backup: what waits in it may have been sent since.
import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openBudget } from '../../../deploy/budget.ts';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { claimDueEmails } from '../../../relay/client/outbox/claim.ts';
import { openHandOver } from '../../../relay/client/outbox/hand-over.ts';
import { handOverNow } from '../../../relay/client/outbox/hand-over-email.ts';
import { claimDueMail, claimHeld } from '../../../relay/delivery/queue/claim.ts';
import { releaseUnconfigured } from '../../../relay/delivery/queue/configuration.ts';
import { checkIdentity } from '../../../relay/delivery/queue/identity.ts';
import { holdRestored, restoredBatch } from '../../../relay/delivery/queue/restored.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { freePort } from '../../kit/ports.ts';
import { startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { fillBacklog } from './backlog.ts';
import { countByStatus, environmentFor, openWayOut, queueMail, settled } from './way-out.ts';

const log = openLog('relay', 'silent');
const nobody = { host: '127.0.0.1', user: 'postern', password: 'x' };
const lease = { instance: randomUUID(), leaseMs: 60_000 };

/** As a relay that has just started. */
const check = (database: Database) => checkIdentity(database, { instance: randomUUID() });

/** As if these rows had come out of a backup of another server. */
async function restore(database: Pick<TestDatabase, 'query'>): Promise<void> {
  await database.query(
    "insert into database_identity values (true, '1', 1) on conflict (only_row) do update set system_identifier = '1'",
  );
}

test('mail that was not looked at yet is not claimed, new mail is', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const old = await queueMail(given.query);
  await queueMail(given.query, { status: 'held', reason: 'sender-refused' });
  const deferred = await queueMail(given.query);
  await given.query(
    "update recipient set status = 'deferred', next_attempt_at = now() + interval '100 milliseconds' where queue_id = $1",
    [deferred.queueId],
  );
  await restore(given);
  expect(await check(database)).toMatchObject({ judgement: { kind: 'restored' }, isNews: true });
  expect(await check(database)).toMatchObject({ judgement: { kind: 'same' } });
  const fresh = await queueMail(given.query);
  await until(
    async () => (await given.query('select from recipient where next_attempt_at <= now()')).rowCount === 3,
    { what: 'the deferred mail to fall due' },
  );
  const claimed = await claimDueMail(database, { ...lease, limit: 10 });
  expect(claimed.map(({ queueId }) => queueId)).toEqual([fresh.queueId]);
  const held = { lane: 'SMTP', sender: 'mailer@example.com' };
  await given.query("insert into lane (key, name) values ('SMTP', 'SMTP')");
  await given.query(
    `insert into sender_hold (lane, sender, cause, detail, next_probe_at)
     values ('SMTP', 'mailer@example.com', 'sender-refused', '', now())`,
  );
  expect(await claimHeld(database, { ...lease, ...held })).toBeUndefined();

  while ((await holdRestored(database)).state !== 'finished');
  expect(await holdRestored(database)).toEqual({ state: 'idle' });
  const { rows } = await given.query('select status, reason from recipient where queue_id <> $1', [
    fresh.queueId,
  ]);
  expect(rows).toEqual(Array(3).fill({ status: 'held', reason: 'database-restored' }));
  expect(
    (await given.query('select status from recipient where queue_id = $1', [fresh.queueId])).rows,
  ).toEqual([{ status: 'sending' }]);
  await queueMail(given.query);
  expect(await claimDueMail(database, { ...lease, limit: 10 })).toHaveLength(1);
  expect(old.queueId < fresh.queueId).toBe(true);
});

test('an email that was due and not handed over yet is held; what is due later, and what is new, is not', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const add = async (more: { due?: string; paused?: boolean } = {}) => {
    const { rows } = await given.query<{ id: string }>(
      `insert into email (id, kind, from_address, recipients, subject, message_id, token, due_at, next_hand_over_at, paused)
       values (('0193' || lpad(to_hex((select count(*) from email)), 4, '0') || '-0000-7000-8000-000000000000')::uuid,
         'single', 'ann@example.com', '[{"kind":"to","address":"eve@example.net","name":null}]', 'Hello',
         $1, $2, now() + $3::interval, now() + $3::interval, $4) returning id`,
      [`<${randomUUID()}@example.com>`, randomBytes(16), more.due ?? '-1 second', more.paused ?? false],
    );
    return rows[0]?.id as string;
  };
  const old = [await add(), await add({ paused: true })];
  const later = await add({ due: '1 hour' });
  await restore(given);
  await check(database);
  const fresh = await add();
  const asked = await add();
  await using handOver = openHandOver({ ...nobody, port: await freePort(), sessions: 1, log });
  const tools = { database, handOver, budget: openBudget(1_000_000), log };
  for (const id of old) expect(await handOverNow(tools, id, 1_000)).toBeUndefined();
  expect(await handOverNow(tools, asked, 1_000)).toMatchObject({ outcome: 'away' });
  expect((await claimDueEmails(database, { limit: 10 })).map(({ id }) => id)).toEqual([fresh]);
  while ((await holdRestored(database)).state !== 'finished');
  const { rows } = await given.query<{ id: string }>(
    "select id from email where status = 'held' and reason = 'database-restored' order by id",
  );
  expect(rows.map(({ id }) => id)).toEqual(old);
  expect((await given.query('select status from email where id = $1', [later])).rows).toEqual([
    { status: 'pending' },
  ]);
});

test('a batch is a batch: two relays share the work, and one that is killed in between leaves nothing half-done', async () => {
  await using given = await freshDatabase();
  await using one = openDatabase({ url: given.url, applicationName: 'one', max: 2 });
  await using other = openDatabase({ url: given.url, applicationName: 'other', max: 2 });
  await fillBacklog(given, 2 * restoredBatch + 1);
  await restore(given);
  await check(one);
  expect(await holdRestored(one)).toEqual({ state: 'holding', held: restoredBatch });
  expect(await check(other)).toMatchObject({ isNews: false });
  expect(await holdRestored(other)).toEqual({ state: 'holding', held: restoredBatch });
  await one.transaction(async (tx) => {
    await tx.query('select from database_identity for update');
    expect(await holdRestored(other)).toEqual({ state: 'idle' });
  });
  expect(await claimDueMail(one, { ...lease, limit: 10 })).toEqual([]);
  while ((await holdRestored(other)).state !== 'finished');
  expect((await given.query("select from recipient where reason = 'database-restored'")).rowCount).toBe(
    2 * restoredBatch + 1,
  );
  expect((await given.query("select from email where reason = 'database-restored'")).rowCount).toBe(
    restoredBatch + 1,
  );
});

test('what was locked when its batch came is held before anything of the backup may leave', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await using other = openDatabase({ url: given.url, applicationName: 'other', max: 1 });
  const { queueId } = await queueMail(given.query);
  await restore(given);
  await check(database);
  await other.transaction(async (tx) => {
    await tx.query('select from recipient for update');
    // No recipients to hold, then no emails; and still it is not over.
    for (let step = 0; step < 4; step++) {
      expect(await holdRestored(database)).toEqual({ state: 'holding', held: 0 });
    }
  });
  expect(await claimDueMail(database, { ...lease, limit: 10 })).toEqual([]);
  while ((await holdRestored(database)).state !== 'finished');
  expect(await settled(given.query, queueId, ['held'])).toMatchObject({ reason: 'database-restored' });
});

test('a relay delivers new mail while it holds what was restored', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await fillBacklog(database, 20_000);
  await restore(database);
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query);
  await settled(database.query, queueId, ['sent']);
  const { queued = 0 } = await countByStatus(database.query);
  expect(queued).toBeGreaterThan(0);
  await until(async () => ((await countByStatus(database.query)).held ?? 0) === 20_000, {
    what: 'all restored mail to be held',
    timeoutMs: 60_000,
  });
  expect(provider.messages).toHaveLength(1);
});

test('mail that was held for want of a provider is released in batches', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await fillBacklog(given, 1_500, { status: 'held', reason: 'not-configured' });
  const first = await releaseUnconfigured(database);
  expect(first).toBe(1_000);
  expect(await releaseUnconfigured(database)).toBe(500);
  expect(await releaseUnconfigured(database)).toBe(0);
});
