// Mail that arrived while no provider was usable is held, and goes out as soon as one is. Both work in batches: each
// call changes at most `configurationBatch` recipients and says how many; fewer means that none is left.
import type { Queryable } from '../../../deploy/database.ts';

const cause = 'not-configured';

export const configurationBatch = 1_000;

/** Puts what was held for want of a provider into the queue, the oldest first. */
export async function releaseUnconfigured(q: Queryable): Promise<number> {
  const { rows } = await q.query<{ count: number }>(
    `with ours as materialized (
       select queue_id, ordinal from recipient where status = 'held' and reason = $1
       order by reason, queue_id, ordinal limit $2 for update skip locked
     ), released as (
       update recipient r set status = 'queued', next_attempt_at = now(), reason = null, reason_detail = null
       from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal
       returning r.queue_id, r.address, r.email_id
     ), told as (
       insert into event (type, queue_id, email_id, recipient, detail)
       select 'released', queue_id, email_id, address, jsonb_build_object('cause', $1::text) from released
     )
     select count(*)::integer from released`,
    [cause, configurationBatch],
  );
  return rows[0]?.count ?? 0;
}

/**
 * Holds what waits for a provider that is not there any more, and says which variables are missing. A relay that
 * still has a provider keeps working: this one only speaks when no lane has been seen open for a minute.
 */
export async function holdUnconfigured(q: Queryable, missing: readonly string[]): Promise<number> {
  const detail =
    missing.length > 0
      ? `Missing: ${missing.join(', ')}`
      : 'The settings of the provider have problems; the log names them.';
  const { rows } = await q.query<{ count: number }>(
    `with ours as materialized (
       select queue_id, ordinal from recipient
       where status in ('queued', 'deferred')
         and not exists (select from lane_replica where seen_at > now() - interval '1 minute')
       order by priority, next_attempt_at limit $3 for update skip locked
     ), held as (
       update recipient r set status = 'held', next_attempt_at = null, reason = $1, reason_detail = $2
       from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal
       returning r.queue_id, r.address, r.email_id
     ), told as (
       insert into event (type, queue_id, email_id, recipient, detail)
       select 'held', queue_id, email_id, address, jsonb_build_object('cause', $1::text, 'detail', $2::text) from held
     )
     select count(*)::integer from held`,
    [cause, detail, configurationBatch],
  );
  return rows[0]?.count ?? 0;
}
