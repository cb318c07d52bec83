// What of deliveries is kept, and for how long. Small batches, which may run twice at once.
import type { Queryable } from '../../../deploy/database.ts';
import { batchSize } from '../erasure/retention.ts';

const keptDays = 14;

/** Per endpoint; the oldest go first. */
const mostUndelivered = 1_000_000;

const inAllStatuses = `cross join unnest(array['waiting', 'delivered', 'failed']) as s (status)`;

/** Forgets deliveries that are too old. What still waited is counted as dropped. */
export async function forgetDeliveries(q: Queryable): Promise<number> {
  return removed(
    q,
    `select d.id, w.id as webhook_id from webhook w ${inAllStatuses}
     cross join lateral (
       select id from webhook_delivery d
       where d.webhook_id = w.id and d.status = s.status
         and d.id < (lpad(to_hex((extract(epoch from now() - interval '${keptDays} days') * 1000)::bigint), 12, '0')
           || '00000000000000000000')::uuid
       order by id limit ${batchSize}
     ) d limit ${batchSize}`,
  );
}

/** Drops the oldest of what waits, where it is more than there may be. */
export async function dropUndelivered(q: Queryable, most = mostUndelivered): Promise<number> {
  return removed(
    q,
    `select d.id, w.id as webhook_id from webhook w
     cross join lateral (
       select id from webhook_delivery d where d.webhook_id = w.id and d.status = 'waiting' order by id desc offset $1 limit 1
     ) newest
     cross join lateral (
       select id from webhook_delivery d
       where d.webhook_id = w.id and d.status = 'waiting' and d.id <= newest.id order by id limit ${batchSize}
     ) d limit ${batchSize}`,
    [most],
  );
}

/** What deleted endpoints left, and then the endpoints. */
export async function forgetDeletedWebhooks(q: Queryable): Promise<number> {
  const count = await removed(
    q,
    `select d.id, w.id as webhook_id from webhook w ${inAllStatuses}
     cross join lateral (
       select id from webhook_delivery d where d.webhook_id = w.id and d.status = s.status limit ${batchSize}
     ) d where w.deleted_at is not null limit ${batchSize}`,
  );
  // A transaction that saw the endpoint before it was deleted is over after an hour.
  await q.query(
    `delete from webhook w where deleted_at < now() - interval '1 hour'
       and not exists (select from webhook_delivery d where d.webhook_id = w.id)`,
  );
  await q.query('delete from webhook_secret where expires_at < now()');
  return count;
}

async function removed(q: Queryable, old: string, values: readonly unknown[] = []): Promise<number> {
  const { rows } = await q.query<{ count: number }>(
    `with old as materialized (${old}), gone as (
       delete from webhook_delivery d using old where d.id = old.id and d.webhook_id = old.webhook_id
       returning d.webhook_id, d.status
     ), counted as (
       update webhook w set dropped = dropped + lost.count
       from (select webhook_id, count(*) from gone where status = 'waiting' group by webhook_id) lost
       where w.id = lost.webhook_id
     )
     select count(*)::integer from gone`,
    values,
  );
  return rows[0]?.count ?? 0;
}
