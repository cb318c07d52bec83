// The lease of an email in the outbox: whoever hands it over first pushes `next_hand_over_at` into the future, so that
// nobody else tries meanwhile. Only the database's clock decides what is due.
import type { Queryable } from '../../../deploy/database.ts';
import { bytesOf, type ClaimedEmail } from '../email/claimed.ts';
import type { EmailContent } from '../email/email.ts';
import { type EmailRow, toContent } from '../email/row.ts';
import { msToTransfer } from './parcel.ts';

type ClaimedRow = Pick<
  EmailRow,
  | 'id'
  | 'from_address'
  | 'from_name'
  | 'reply_to'
  | 'recipients'
  | 'subject'
  | 'text_body'
  | 'html_body'
  | 'headers'
  | 'message_id'
  | 'due_at'
  | 'traceparent'
> & {
  token: Buffer;
  hand_over_attempts: number;
  overdue_ms: number;
  has_attachments: boolean;
  text_bytes: number;
  attached_bytes: number;
};

/** Octets of text and attachments of mail that is composed without asking for memory: most mail is smaller. */
export const smallBytes = 65_536;

const textBytes = 'coalesce(octet_length(e.text_body), 0) + coalesce(octet_length(e.html_body), 0)';
const unlessMany = (column: string) =>
  `case when ${textBytes} <= ${smallBytes} then e.${column} end as ${column}`;

const claimedColumns = `
  e.id, e.token, e.hand_over_attempts, extract(epoch from now() - e.due_at)::float8 * 1000 as overdue_ms, e.from_address, e.from_name, e.reply_to, e.recipients, e.subject,
  ${unlessMany('text_body')}, ${unlessMany('html_body')}, ${textBytes} as text_bytes, e.headers, e.message_id, e.due_at, e.traceparent,
  exists (select from email_attachment a where a.email_id = e.id) as has_attachments,
  (select coalesce(sum(octet_length(a.content)), 0)::float8 from email_attachment a where a.email_id = e.id) as attached_bytes`;

/**
 * While the mail of a restored backup is being held (relay/delivery/queue/restored.ts), nobody hands over what was due when
 * it was restored: it may have been sent since the backup was taken. The same while relays are asked what they know after a
 * promotion.
 */
const isNotRestored = (email: string) => `(
  ${email}.due_at > (select coalesce(max(restored_at), '-infinity') from database_identity)
  or ${email}.id > (select restored_up_to_email from database_identity))`;

/** Longer than a hand-over takes, short enough that the mail of a killed worker soon moves on. */
export const defaultLeaseSeconds = 20;

/**
 * Leases up to `limit` emails that are due, the longest waiting first, for `leaseSeconds`. What is later than its
 * max_lateness becomes `expired` instead. Any number of processes may claim at the same time.
 */
export async function claimDueEmails(
  q: Queryable,
  { limit, leaseSeconds = defaultLeaseSeconds }: { limit: number; leaseSeconds?: number },
): Promise<ClaimedEmail[]> {
  const { rows } = await q.query<ClaimedRow>({
    name: 'claim-due',
    text: `
      with due as (
        select id, coalesce(due_at + max_lateness < now(), false) as too_late
        from email
        where status = 'pending' and not paused and next_hand_over_at <= now() and ${isNotRestored('email')}
        order by next_hand_over_at
        limit $1
        for no key update skip locked
      ), claimed as (
        update email e set
          status = case when too_late then 'expired' else e.status end,
          reason = case when too_late then 'too-late' else e.reason end,
          reason_detail = case when too_late
            then 'It could not be handed over within ' || e.max_lateness || ' after its due time.'
            else e.reason_detail end,
          finished_at = case when too_late then now() end,
          next_hand_over_at = case when too_late then null else now() + make_interval(secs => $2) end,
          hand_over_attempts = e.hand_over_attempts + case when too_late then 0 else 1 end,
          updated_at = case when too_late then now() else e.updated_at end
        from due where e.id = due.id
        returning e.*
      ), told as (
        insert into event (type, email_id, detail)
        select 'expired', id, json_build_object('cause', reason, 'dueAt', due_at) from claimed where status = 'expired'
      )
      select ${claimedColumns} from claimed e where status = 'pending' order by due_at, id`,
    values: [limit, leaseSeconds],
  });
  return rows.map(toClaimed);
}

/**
 * Leases one email for a hand-over right now, if it is due and nobody else is at it. Undefined when there is
 * nothing to do.
 */
export async function claimEmail(q: Queryable, id: string): Promise<ClaimedEmail | undefined> {
  const { rows } = await q.query<ClaimedRow>(
    `update email e set
       next_hand_over_at = now() + make_interval(secs => $2), hand_over_attempts = hand_over_attempts + 1
     where id = $1 and status = 'pending' and not paused
       and next_hand_over_at <= now() and coalesce(due_at + max_lateness >= now(), true)
       and ${isNotRestored('e')}
     returning ${claimedColumns}`,
    [id, defaultLeaseSeconds],
  );
  return rows[0] && toClaimed(rows[0]);
}

const toClaimed = (row: ClaimedRow): ClaimedEmail => ({
  ...toContent(row),
  id: row.id,
  token: row.token,
  attempts: row.hand_over_attempts,
  overdueMs: row.overdue_ms,
  hasAttachments: row.has_attachments,
  textBytes: row.text_bytes,
  attachedBytes: row.attached_bytes,
  traceparent: row.traceparent,
});

/**
 * Ends the lease of emails that were claimed but not tried, so that another process takes them at once, or in
 * `inMs`. A lease that ran out and is somebody else's by now is left alone.
 */
export async function handBack(
  q: Queryable,
  emails: readonly Pick<ClaimedEmail, 'id' | 'attempts'>[],
  inMs = 0,
): Promise<void> {
  await q.query(
    `update email e set next_hand_over_at = now() + make_interval(secs => $3::float8 / 1000), hand_over_attempts = e.hand_over_attempts - 1
     from unnest($1::uuid[], $2::integer[]) as claimed (id, attempts)
     where e.id = claimed.id and e.hand_over_attempts = claimed.attempts and e.status = 'pending'`,
    [emails.map(({ id }) => id), emails.map(({ attempts }) => attempts), inMs],
  );
}

/** Undefined when the lease ran out and the mail is somebody else's, was changed, or is gone. */
export async function renewAndRead(
  q: Queryable,
  email: ClaimedEmail,
): Promise<Pick<EmailContent, 'text' | 'html'> | undefined> {
  const { rows } = await q.query<{ text: string | null; html: string | null }>({
    name: 'renew-and-read',
    text: `update email set next_hand_over_at = now() + make_interval(secs => $4)
           where id = $1 and token = $2 and hand_over_attempts = $3 and status = 'pending'
           returning text_body as text, html_body as html`,
    values: [
      email.id,
      email.token,
      email.attempts,
      defaultLeaseSeconds + msToTransfer(2 * bytesOf(email)) / 1000,
    ],
  });
  return rows[0];
}
