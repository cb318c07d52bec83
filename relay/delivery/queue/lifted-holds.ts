// The held mail of senders that are free again goes back into the queue.
import type { Queryable } from '../../../deploy/database.ts';

/** Held mail looked at in one statement. */
const liftedBatch = 1_000;

/**
 * Puts the held mail of senders that are free again back into the queue, a batch of held mail at a time. To be repeated
 * for a while after a hold was lifted: a relay that had not heard of it yet may have put more mail aside meanwhile.
 *
 * @param released hears after each batch how many recipients it released
 */
export async function releaseLifted(
  q: Queryable,
  { signal, released = () => {} }: { signal: AbortSignal; released?: (recipients: number) => void },
): Promise<number> {
  await q.query("delete from sender_hold where lifted_at < now() - interval '1 day'");
  const { rows: causes } = await q.query<{ cause: string }>(
    'select distinct unnest(causes || cause) as cause from sender_hold where lifted_at is not null',
  );
  let total = 0;
  for (const { cause } of causes) {
    let after: SeenHeld | undefined = { queueId: '', ordinal: 0, recipients: 0 };
    while (after && !signal.aborted) {
      after = await releaseLiftedAfter(q, cause, after);
      total += after?.recipients ?? 0;
      if (after) released(after.recipients);
    }
  }
  return total;
}

type SeenHeld = { queueId: string; ordinal: number; recipients: number };

/** Looks at the next batch of what is held for this cause. Undefined when there is none. */
async function releaseLiftedAfter(
  q: Queryable,
  cause: string,
  after: SeenHeld,
): Promise<SeenHeld | undefined> {
  const { rows } = await q.query<SeenHeld>(
    `with seen as materialized (
       select queue_id, ordinal from recipient
       where status = 'held' and reason = $1 and (queue_id, ordinal) > ($2, $3)
       order by reason, queue_id, ordinal limit $4
     ), ours as materialized (
       select r.queue_id, r.ordinal
       from seen join recipient r using (queue_id, ordinal) join message m using (queue_id)
       where r.status = 'held' and r.reason = $1 and r.marked_at is null
         and exists (
           select from sender_hold h
           where $1 = any(h.causes || h.cause) and h.lifted_at is not null and h.sender in (m.sender, m.header_from)
             and not exists (
               select from sender_hold held
               where held.sender = h.sender and $1 = any(held.causes || held.cause) and held.lifted_at is null))
       for update of r skip locked
     ), released as (
       update recipient r set status = 'queued', next_attempt_at = now(), reason = null, reason_detail = null
       from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal
       returning r.queue_id, r.address, r.email_id
     ), told as (
       insert into event (type, queue_id, email_id, recipient, detail)
       select 'released', queue_id, email_id, address, '{"cause": "sender-free"}' from released
     )
     select queue_id as "queueId", ordinal, (select count(*)::integer from released) as recipients
     from seen order by queue_id desc, ordinal desc limit 1`,
    [cause, after.queueId, after.ordinal, liftedBatch],
  );
  return rows[0];
}
