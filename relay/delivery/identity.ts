// Whether this is still the database it was. A restored backup believes that mail is waiting which has left long ago,
// so nothing goes out until a person has looked.
import type { Database } from '../../deploy/database.ts';

export const restored = 'database-restored';

/**
 * Compares the server's identity with the one on record. When it is another (a restored backup, a promoted standby),
 * all mail that is not finished is held as `database-restored`, and the new identity is recorded.
 *
 * @returns how many recipients were held; undefined when nothing has changed
 */
export async function checkIdentity(database: Database): Promise<number | undefined> {
  return database.transaction(async (tx) => {
    const { rows } = await tx.query<{ isNew: boolean; changed: boolean }>(
      `with now_is as (
         select (pg_control_system()).system_identifier::text as system_identifier,
                (pg_control_checkpoint()).timeline_id as timeline
       ), before as (
         select system_identifier, timeline from database_identity for update
       ), recorded as (
         insert into database_identity as d (system_identifier, timeline) select * from now_is
         on conflict (only_row) do update
         set system_identifier = excluded.system_identifier, timeline = excluded.timeline
         where (d.system_identifier, d.timeline) is distinct from (excluded.system_identifier, excluded.timeline)
         returning 1
       )
       select not exists (select from before) as "isNew", exists (select from recorded) as changed`,
    );
    if (!rows[0]?.changed || rows[0].isNew) return undefined;
    const held = await tx.query<{ count: number }>(
      `with ours as materialized (
         select queue_id, ordinal from recipient where status in ('queued', 'deferred', 'sending', 'uncertain', 'held')
         order by queue_id, ordinal for update
       ), held as (
         update recipient r
         set status = 'held', reason = $1, next_attempt_at = null,
             reason_detail = 'The database was restored from a backup or a standby took over: this mail may have been sent already.',
             claim_token = null, claimed_by = null, lease_until = null
         from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal
         returning r.queue_id, r.email_id, r.address
       ), waiting_emails as (
         -- What had not been handed over then may have been since.
         update email set status = 'held', reason = $1, next_hand_over_at = null, updated_at = now()
         where queue_id is null and status in ('pending', 'held') and due_at <= now()
         returning id
       ), told as (
         insert into event (type, queue_id, email_id, recipient, detail)
         select 'held', queue_id, email_id, address, jsonb_build_object('cause', $1::text) from held
         union all
         select 'held', null, id, null, jsonb_build_object('cause', $1::text) from waiting_emails
       )
       select count(*)::integer from held`,
      [restored],
    );
    return held.rows[0]?.count ?? 0;
  });
}
