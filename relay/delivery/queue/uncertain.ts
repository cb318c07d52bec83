// Mail of which SMTP itself cannot tell whether it arrived (RFC 1047): sent again once, late, and marked as such.
import type { Queryable } from '../../../deploy/database.ts';

/** Queues uncertain mail whose wait is over, with the same bytes and Message-ID. Returns the queue ids. */
export async function resendUncertain(q: Queryable): Promise<string[]> {
  const { rows } = await q.query<{ queueId: string }>({
    name: 'resend-uncertain',
    text: `
      with due as materialized (
        select queue_id, ordinal, email_id, marked_at from recipient
        where status = 'uncertain' and next_attempt_at <= now()
        order by next_attempt_at limit 500 for update skip locked
      ), requeued as (
        update recipient r
        set status = 'queued', resends = r.resends + 1, marked_at = null, reason = null, reason_detail = null
        from due where r.queue_id = due.queue_id and r.ordinal = due.ordinal
        returning r.queue_id, r.address, r.email_id, due.marked_at
      ), told as (
        insert into event (type, queue_id, email_id, recipient, detail)
        select 'requeued', queue_id, email_id, address,
          jsonb_build_object('cause', 'uncertain', 'possibleDuplicate', true, 'markedAt', marked_at)
        from requeued
      )
      select distinct queue_id as "queueId" from requeued`,
  });
  return rows.map(({ queueId }) => queueId);
}
