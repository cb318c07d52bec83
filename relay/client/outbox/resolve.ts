// Deciding what SMTP could not tell (RFC 1047): all data was sent and the final reply never came. A person asked the
// recipient or the provider, and says here what is true.
import { ring } from '../../../deploy/bell.ts';
import type { Database, Queryable } from '../../../deploy/database.ts';
import type { Status } from '../vocabulary.ts';
import { submittedStatus } from './cancel.ts';

/** It did arrive; or it did not, and is to be sent again; or it did not, and is no longer wanted. */
export type Resolution = 'sent' | 'resend' | 'cancelled';

export type ResolveResult =
  | { readonly outcome: 'resolved' | 'nothing-uncertain'; readonly status: Status }
  | { readonly outcome: 'unknown' };

/** Resolves every recipient of an email of which nobody knows whether it was served. */
export function resolveEmail(
  database: Database,
  id: string,
  resolution: Resolution,
  actor: string,
): Promise<ResolveResult> {
  return database.transaction((tx) => resolveEmailWithin(tx, id, resolution, actor));
}

export async function resolveEmailWithin(
  tx: Queryable,
  id: string,
  resolution: Resolution,
  actor: string,
): Promise<ResolveResult> {
  const { rows } = await tx.query<{ status: Status; queue_id: string | null }>(
    'select status, queue_id from email where id = $1',
    [id],
  );
  const email = rows[0];
  if (!email) return { outcome: 'unknown' };

  const resolved = await settle(tx, { emailId: id, queueId: email.queue_id }, resolution, actor);
  const { rows: after } = await tx.query<{ status: Status }>('select status from email where id = $1', [id]);
  return { outcome: resolved ? 'resolved' : 'nothing-uncertain', status: after[0]?.status ?? email.status };
}

/** The same for a mail that another application submitted over SMTP. */
export async function resolveSubmittedWithin(
  tx: Queryable,
  queueId: string,
  resolution: Resolution,
  actor: string,
): Promise<ResolveResult> {
  const before = await submittedStatus(tx, queueId);
  if (before === undefined) return { outcome: 'unknown' };
  const resolved = await settle(tx, { emailId: null, queueId }, resolution, actor);
  return {
    outcome: resolved ? 'resolved' : 'nothing-uncertain',
    status: (await submittedStatus(tx, queueId)) ?? before,
  };
}

/** Whether there was a recipient to decide about. */
async function settle(
  tx: Queryable,
  { emailId, queueId }: { readonly emailId: string | null; readonly queueId: string | null },
  resolution: Resolution,
  actor: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `with open as (
       select ordinal from recipient
       where queue_id = $1 and (status = 'uncertain' or (status = 'held' and marked_at is not null))
       order by ordinal for update
     ), resolved as (
       update recipient r set
         status = $2::mail_status,
         next_attempt_at = case when $2 = 'queued' then now() end,
         marked_at = case when $2 = 'queued' then null else r.marked_at end,
         finished_at = case when $2 = 'queued' then null else now() end,
         reason = 'resolved', reason_detail = null
       from open o where r.queue_id = $1 and r.ordinal = o.ordinal
       returning r.address
     )
     insert into event (type, email_id, queue_id, recipient, detail)
     select 'resolved', $3, $1, address, $4 from resolved`,
    [
      queueId,
      resolution === 'resend' ? 'queued' : resolution,
      emailId,
      JSON.stringify({ actor, outcome: resolution }),
    ],
  );
  if (rowCount > 0 && resolution === 'resend') await ring(tx, 'relay');
  return rowCount > 0;
}
