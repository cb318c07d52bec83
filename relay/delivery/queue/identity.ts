// Whether this is still the database it was. A restored backup believes that mail is waiting which has left long ago,
// so nothing of it goes out until a person has looked. Noticing takes one statement; holding the mail follows in
// batches (restored.ts), and until a mail was held the claims refuse it.
import type { Database } from '../../../deploy/database.ts';

/**
 * Compares the server's identity with the one on record. When it is another (a restored backup, a promoted standby),
 * the new one is recorded, and with it how far the mail of the backup reaches: up to its newest message and email.
 *
 * @returns whether it is another database than before
 */
export async function checkIdentity(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ changed: boolean }>(
    `with now_is as (
       select (pg_control_system()).system_identifier::text as system_identifier,
              (pg_control_checkpoint()).timeline_id as timeline
     ), recorded as (
       insert into database_identity as d (system_identifier, timeline) select * from now_is
       on conflict (only_row) do update
       set system_identifier = excluded.system_identifier, timeline = excluded.timeline,
           restored_at = now(),
           restored_up_to_message =
             coalesce((select queue_id from message order by queue_id desc limit 1), ''),
           restored_up_to_email =
             coalesce((select id from email order by id desc limit 1), '00000000-0000-0000-0000-000000000000'),
           restored_emails_left = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
       where (d.system_identifier, d.timeline) is distinct from (excluded.system_identifier, excluded.timeline)
       returning restored_at
     )
     select coalesce((select restored_at is not null from recorded), false) as changed`,
  );
  return rows[0]?.changed ?? false;
}
