// The history of seven days: what is counted, that nothing is counted twice, and that a system at rest writes nothing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countHistory, historyOf, percentile, readHistory } from '../../../api/dashboard/history.ts';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../kit/database.ts';

let database: TestDatabase;
let api: Database;
beforeAll(async () => {
  database = await freshDatabase();
  api = openDatabase({ url: urlOfProcess(database.url, 'api'), applicationName: 'history-test', max: 4 });
});
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
  await database?.stop();
});

let written = 0;
// In the middle of the hour before this one, so that no hour begins between what belongs together.
const middle = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 1_800_000);
/** One recipient of submitted mail that ended so long before that. */
async function end(
  status: string,
  { hoursAgo, tookMs = 1_000, returned = false }: { hoursAgo: number; tookMs?: number; returned?: boolean },
): Promise<void> {
  const id = `Q${written++}`;
  await database.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority, received_at)
     values ($1, 'shop', 'a@example.com', 'a@example.com', '', 1, 1,
       $4::timestamptz - make_interval(hours => $2) - $3 * interval '1 millisecond')`,
    [id, hoursAgo, tookMs, middle],
  );
  await database.query(
    `insert into recipient (queue_id, ordinal, address, status, priority, finished_at, bounced_at)
     select $1, 0, 'b@example.com', $2::mail_status, 1, received_at + $3 * interval '1 millisecond',
       case when $4 then received_at + interval '1 hour' end
     from message where queue_id = $1`,
    [id, status, tookMs, returned],
  );
}

const hoursWithMail = async () =>
  (await readHistory(api)).hours.filter(
    ({ accepted, refused, expired, returned }) => accepted + refused + expired + returned > 0,
  );
const rows = async () => (await database.query('select * from mail_hour order by hour')).rows;

test('counts what ended hour by hour, with the delay, once, however many count at the same time', async () => {
  for (const tookMs of [100, 100, 100, 90_000]) await end('sent', { hoursAgo: 30, tookMs });
  await end('bounced', { hoursAgo: 30 });
  await end('expired', { hoursAgo: 30 });
  await end('cancelled', { hoursAgo: 30 });
  // The provider had taken it, and a report came an hour later.
  await end('bounced', { hoursAgo: 5, returned: true });
  await end('sent', { hoursAgo: 400 });
  await Promise.all([countHistory(api), countHistory(api), countHistory(api)]);
  await countHistory(api);
  const hours = await hoursWithMail();
  expect(hours).toMatchObject([
    { accepted: 4, refused: 1, expired: 1, returned: 0 },
    { accepted: 1, refused: 0, expired: 0, returned: 0 },
    { accepted: 0, refused: 0, expired: 0, returned: 1, p50: null, p99: null },
  ]);
  const [first] = hours;
  expect(first?.p50).toBeGreaterThan(100 / 1.34);
  expect(first?.p50).toBeLessThan(100 * 1.34);
  expect(first?.p99).toBeGreaterThan(90_000 / 1.34);
  expect(first?.p99).toBeLessThan(90_000 * 1.34);
});

test('a system at rest writes nothing; a queue that grows or empties is written down', async () => {
  // The minute that was counted is over for good, so the next one is made to be due.
  const nextMinute = () =>
    database.query(`update mail_hour set counted_until = counted_until - interval '1 minute'`);
  await nextMinute();
  const before = await rows();
  await countHistory(api);
  expect(await rows()).toEqual(before);

  await database.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
     values ('W1', 'shop', 'a@example.com', 'a@example.com', '', 1, 1)`,
  );
  await database.query(
    `insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at)
     select 'W1', n, 'b@example.com', 'queued', 1, now() from generate_series(0, 6) n`,
  );
  await nextMinute();
  await countHistory(api);
  expect((await readHistory(api)).hours.at(-1)?.waiting).toBe(7);
  await database.query(
    `update recipient set status = 'cancelled', finished_at = now(), next_attempt_at = null where queue_id = 'W1'`,
  );
  await nextMinute();
  await countHistory(api);
  const samples = await rows();
  expect(Math.max(...samples.map(({ waiting_most: most }) => most))).toBe(7);
  expect(samples.at(-1)).toMatchObject({ waiting_last: 0 });
});

test('an hour without a sample shows what waited before; seven days are 168 hours', () => {
  const hour = (hoursAgo: number) => new Date(Date.UTC(2030, 0, 9, 12 - hoursAgo));
  const row = { accepted: 1, refused: 0, expired: 0, returned: 0, delays: [1] };
  const { hours } = historyOf(
    [
      { ...row, hour: hour(170), waiting_most: 9, waiting_last: 3 },
      { ...row, hour: hour(10), waiting_most: 20, waiting_last: 5 },
      { ...row, hour: hour(8), waiting_most: null, waiting_last: null },
    ],
    new Date(Date.UTC(2030, 0, 9, 12, 34)),
  );
  expect(hours).toHaveLength(168);
  const waiting = [167, 11, 10, 9, 8, 0].map((hoursAgo) => hours.at(-1 - hoursAgo)?.waiting);
  expect(waiting).toEqual([3, 3, 20, 5, 5, 5]);
});

test('percentiles of what can be added up', () => {
  expect(percentile([], 0.5)).toBeNull();
  const delays = Array.from({ length: 33 }, () => 0);
  delays[16] = 99;
  delays[32] = 1;
  expect(percentile(delays, 0.5)).toBeGreaterThanOrEqual(100);
  expect(percentile(delays, 0.5)).toBeLessThan(134);
  expect(percentile(delays, 0.995)).toBeGreaterThanOrEqual(10_000);
});
