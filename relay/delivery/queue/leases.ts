// Claims that nobody renews belong to a relay that is gone: what it carried goes back, or becomes uncertain.
import type { Queryable } from '../../../deploy/database.ts';

/** Renews what this process still carries, also when the lease has run out but nobody has noticed yet. */
export async function renewLeases(q: Queryable, tokens: readonly string[], leaseMs: number): Promise<void> {
  if (tokens.length === 0) return;
  await q.query({
    name: 'renew-leases',
    // A row that is locked is being marked or finished right now; it is renewed the next time, if at all. So is one that
    // is younger than a fifth of its lease: as a rule it is on its way by then, and costs no update.
    text: `
      with ours as materialized (
        select queue_id, ordinal from recipient
        where status = 'sending' and claim_token = any($1)
          and lease_until < clock_timestamp() + $2::float8 * 0.8 * interval '1 millisecond'
        for update skip locked
      )
      update recipient r set lease_until = clock_timestamp() + $2 * interval '1 millisecond'
      from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal`,
    values: [tokens, leaseMs],
  });
}

/** Leases taken in one statement; the next one goes on. */
const reapBatch = 1_000;

/**
 * Takes leases that have run out: without a mark the mail is queued again, with one nobody knows (RFC 1047).
 * Does nothing in the first lease after PostgreSQL came up: nobody could renew anything while it was down. Nor while the
 * mail of a restored backup is being held, or relays are asked what they know after a promotion.
 */
export async function reapLeases(
  q: Queryable,
  { leaseMs, resendMs, policy }: { leaseMs: number; resendMs: number; policy: 'resend' | 'hold' },
): Promise<{ queueId: string; status: string }[]> {
  const { rows } = await q.query<{ queueId: string; status: string }>({
    name: 'reap-leases',
    text: `
      with lost as materialized (
        select r.queue_id, r.ordinal, m.email_id, coalesce(m.on_uncertain, $3) as policy
        from recipient r join message m using (queue_id)
        where r.status = 'sending' and r.lease_until < now()
          and pg_postmaster_start_time() < now() - $1 * interval '1 millisecond'
          -- A standby that took over has been up for long. Its leases wait until it is known whether it has every commit.
          and not exists (select from database_identity where restored_at is not null)
        order by r.lease_until limit ${reapBatch}
        for update of r skip locked
      ), reaped as (
        update recipient r
        set status = case
              when r.marked_at is null then 'queued'
              when r.resends > 0 then 'held'
              else 'uncertain' end::mail_status,
            reason = case when r.marked_at is null then null when r.resends > 0 then 'uncertain-twice' else 'relay-lost' end,
            reason_detail = case when r.marked_at is not null
              then 'The relay that carried it was lost after the data may have left.' end,
            next_attempt_at = case
              when r.marked_at is null then now()
              when r.resends = 0 and lost.policy = 'resend' then r.marked_at + $2 * interval '1 millisecond' end,
            claim_token = null, claimed_by = null, lease_until = null
        from lost where r.queue_id = lost.queue_id and r.ordinal = lost.ordinal
        returning r.queue_id, r.ordinal, r.address, r.status, lost.email_id
      ), told as (
        insert into event (type, queue_id, email_id, recipient, detail)
        select case status when 'queued' then 'requeued' else status::text end, queue_id, email_id, address,
          jsonb_build_object('cause', 'relay-lost')
        from reaped
      )
      select queue_id as "queueId", status from reaped`,
    values: [leaseMs, resendMs, policy],
  });
  return rows;
}
