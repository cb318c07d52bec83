import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { listenTo } from '../../../deploy/bell.ts';
import { openDatabase } from '../../../deploy/database.ts';
import { beat, beatAsleep, readHeartbeats } from '../../../relay/client/status/heartbeat.ts';
import { tickOpen } from '../../../relay/delivery/queue/open-time.ts';
import { freshDatabase } from '../../kit/database.ts';
import { startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, openWayOut, queueMail } from './way-out.ts';

test('a relay without a connection of its own tells those at rest that mail waits', async () => {
  await using provider = await startProvider();
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test' });
  const environment = environmentFor(provider, { SMTP_MAX_CONNECTIONS: '1' });
  // Nobody looks by itself within this test once there is nothing to do.
  const rarely = { quietMs: 120_000 };
  await using first = await openWayOut(given.url, environment, rarely);
  await using second = await openWayOut(given.url, environment, rarely);
  const ways = [first, second];
  const listening = ways.map(({ delivery }) => listenTo('relay', database, delivery.look));
  try {
    // With two relays and one connection the smaller instance has it, once both know of each other.
    await until(
      async () => {
        for (const { delivery } of ways) delivery.look();
        const { rows } = await given.query<{ instance: string }>('select instance from connection_slot');
        return rows[0]?.instance === ways.map(({ instance }) => instance).sort()[0];
      },
      { what: 'the connection to be where it belongs' },
    );
    const without = ways.toSorted((a, b) => (a.instance < b.instance ? 1 : -1))[0];
    await queueMail(given.query);
    without?.delivery.wake();
    await until(() => provider.messages.length === 1, { what: 'the other relay to send it' });
  } finally {
    for (const each of listening) await each[Symbol.asyncDispose]();
  }
});

test('what a process says of itself is written again only when it is something else', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test' });
  const { rows } = await given.query<{ apart: string }>(
    `select reltoastrelid::regclass::text as apart from pg_class where oid = 'heartbeat'::regclass`,
  );
  const written = async () =>
    (await given.query<{ id: number }>(`select distinct chunk_id::bigint as id from ${rows[0]?.apart}`)).rows;
  const instance = randomUUID();
  const say = (words: string) => beat(database, { instance, process: 'relay', report: { words } });
  // To the microsecond: both beats may be in one millisecond.
  const seenAt = async () => (await given.query('select seen_at::text from heartbeat')).rows;

  await say('the same '.repeat(300));
  const [first, since] = [await written(), await seenAt()];
  expect(first).toHaveLength(1);
  await say('the same '.repeat(300));
  expect(await written()).toEqual(first);
  expect(await seenAt()).not.toEqual(since);
  await say('another '.repeat(300));
  expect(await written()).not.toEqual(first);
  expect((await readHeartbeats(database))[0]?.report).toEqual({ words: 'another '.repeat(300) });
});

test('a process sleeps only when the others can wake it, and one that does not wake is not alive', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test' });
  const [relay, api] = [randomUUID(), randomUUID()];
  await beat(database, { instance: relay, process: 'relay', report: { knocks: true } });
  await beat(database, { instance: api, process: 'api', report: {} });
  const seen = async () =>
    (await readHeartbeats(database, 'relay')).map(({ alive, asleepSince }) => [alive, asleepSince !== null]);
  // As one with IDLE=normal, and one of an earlier release.
  expect(await beatAsleep(database, relay, 60_000)).toBe(false);
  await beat(database, { instance: api, process: 'api', report: { knocks: false } });
  expect(await beatAsleep(database, relay, 60_000)).toBe(false);
  expect(await seen()).toEqual([[true, false]]);

  await beat(database, { instance: api, process: 'api', report: { knocks: true } });
  expect(await beatAsleep(database, relay, 3_600_000)).toBe(true);
  await given.query(`update heartbeat set seen_at = now() - interval '50 minutes' where process = 'relay'`);
  expect(await seen()).toEqual([[true, true]]);
  // The api has knocked in vain.
  await beat(database, { instance: api, process: 'api', report: { knocks: false } });
  expect(await seen()).toEqual([[false, true]]);
  await beat(database, { instance: api, process: 'api', report: { knocks: true } });
  await given.query(
    `update heartbeat set asleep_until = now() - interval '2 minutes' where process = 'relay'`,
  );
  expect(await seen()).toEqual([[false, true]]);
  await beat(database, { instance: relay, process: 'relay', report: { knocks: true } });
  expect(await seen()).toEqual([[true, false]]);
});

test('time asleep with an open lane is time in which mail could leave', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test' });
  const anHourAgo = () => given.query(`update open_clock set last_open_at = now() - interval '1 hour'`);
  const closures = async () => (await given.query('select from lane_closure')).rowCount;
  await anHourAgo();
  await tickOpen(database, 3_600);
  expect(await closures()).toBe(0);
  await anHourAgo();
  await tickOpen(database);
  expect(await closures()).toBe(1);
});
