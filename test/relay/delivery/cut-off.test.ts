// A relay that the database does not answer: it cannot renew its own leases, and so may not judge those of others.
import { expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { stall, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, eventsOf, openWayOut, queueMail } from './way-out.ts';

type Query = TestDatabase['query'];

/** From now on PostgreSQL fails every update of a recipient for which this holds, and no other statement. */
async function failUpdates(query: Query, { when, sqlState }: { when: string; sqlState: string }) {
  await query(
    `create function fail() returns trigger language plpgsql as
     $$ begin raise exception 'this update fails' using errcode = '${sqlState}'; end $$`,
  );
  await query(
    `create trigger fails before update on recipient for each row when (${when}) execute function fail()`,
  );
  return () => query('drop trigger fails on recipient');
}

/** A mail whose relay has not renewed its lease. */
async function mailOfAnother(query: Query): Promise<string> {
  const { queueId } = await queueMail(query);
  await query(
    `update recipient set status = 'sending', next_attempt_at = null, claim_token = gen_random_uuid(),
       claimed_by = gen_random_uuid(), lease_until = now() - interval '1 second' where queue_id = $1`,
    [queueId],
  );
  return queueId;
}

/** Waits until the relay has looked after leases several times, and `seconds` after now at the earliest. */
async function severalLooks(query: Query, seconds = 0): Promise<void> {
  const { rows } = await query<{ now: Date }>('select now() + make_interval(secs => $1) as now', [seconds]);
  const seen = new Set<number>();
  await until(
    async () => {
      const replicas = await query<{ at: Date }>(
        'select seen_at as at from lane_replica where seen_at > $1',
        [rows[0]?.now],
      );
      for (const { at } of replicas.rows) seen.add(at.getTime());
      return seen.size >= 5;
    },
    { what: 'the relay to look after leases' },
  );
}

const isRequeued = async (query: Query, queueId: string) =>
  (await eventsOf(query, queueId)).some(({ type }) => type === 'requeued');

test('a relay that cannot renew its leases declares nobody lost', async () => {
  await using database = await freshDatabase();
  const { query } = database;
  await using provider = await startProvider();
  provider.on('data', stall);
  const repair = await failUpdates(query, {
    when: `old.status = 'sending' and new.status = 'sending' and old.lease_until <> new.lease_until`,
    sqlState: 'P0001',
  });
  const { queueId: own } = await queueMail(query);
  await using _ = await openWayOut(database.url, environmentFor(provider), { leaseMs: 600 });
  await until(async () => (await query('select from recipient where lease_until < now()')).rowCount === 1, {
    what: "the lease of the relay's own mail to run out",
  });

  const other = await mailOfAnother(query);
  await severalLooks(query);
  expect(await isRequeued(query, other)).toBe(false);

  await repair();
  await until(() => isRequeued(query, other), { what: 'the mail of the other relay to be queued again' });
  expect(await isRequeued(query, own)).toBe(false);
});

test('a relay that the database did not answer declares nobody lost for the time of a lease', async () => {
  await using database = await freshDatabase();
  const { query } = database;
  await using provider = await startProvider();
  const leaseMs = 4_000;
  // As if PostgreSQL were shutting down, but for this one statement only: leases are renewed all the while.
  const repair = await failUpdates(query, {
    when: `old.status = 'sending' and new.status = 'sent'`,
    sqlState: '57P03',
  });
  await queueMail(query);
  await using _ = await openWayOut(database.url, environmentFor(provider), { leaseMs });
  await until(() => provider.messages.length === 1, { what: 'the provider to take the mail' });

  const other = await mailOfAnother(query);
  await severalLooks(query, leaseMs / 1_000);
  expect(await isRequeued(query, other)).toBe(false);

  await repair();
  await until(() => isRequeued(query, other), { what: 'the mail of the other relay to be queued again' });
});
