// Changing a mail that has not left: its content, its time, whether it is paused. Every change gives it a new token,
// so that a hand-over of the old version that is on its way right now is refused by the relay.
import { randomBytes } from 'node:crypto';
import type { Queryable } from '../../../deploy/database.ts';
import type { Address, Email, Recipient } from '../email/email.ts';
import { newMessageId } from '../email/message-id.ts';
import { type EmailRow, emailColumns, toEmail } from '../email/row.ts';
import type { Tag } from '../email/tag.ts';
import { tellNewDueTime } from './outbox.ts';

/** What may change; what is undefined stays as it is. */
export type EmailChanges = {
  readonly from?: Address | undefined;
  readonly replyTo?: readonly Address[] | undefined;
  readonly recipients?: readonly Recipient[] | undefined;
  readonly subject?: string | undefined;
  readonly text?: string | null | undefined;
  readonly html?: string | null | undefined;
  /** 'now' is the database's now: send at once. */
  readonly dueAt?: Date | 'now' | undefined;
  readonly timeZone?: string | null | undefined;
  readonly localTime?: string | null | undefined;
  readonly maxLateness?: string | null | undefined;
  readonly paused?: boolean | undefined;
  readonly tags?: readonly Tag[] | undefined;
  readonly stream?: string | null | undefined;
};

export type EditResult =
  | { readonly outcome: 'updated'; readonly email: Email }
  /** The relay has it, or it is over: what left cannot be changed. */
  | { readonly outcome: 'locked'; readonly email: Email }
  /** Somebody else changed it since the caller looked. */
  | { readonly outcome: 'changed-meanwhile'; readonly email: Email }
  | { readonly outcome: 'unknown' };

/**
 * Changes one email inside the caller's transaction, if it is still at home: pending, held before it ever reached the
 * relay, or expired there. Whatever it was before, it waits for its time afterwards.
 *
 * @param revision only change it when this is still its revision
 */
export async function editEmail(
  tx: Queryable,
  id: string,
  changes: EmailChanges,
  { actor, revision }: { actor: string; revision?: number | undefined },
): Promise<EditResult> {
  const { rows } = await tx.query<EmailRow>(
    `select ${emailColumns} from email e where id = $1 for no key update`,
    [id],
  );
  if (!rows[0]) return { outcome: 'unknown' };
  const before = toEmail(rows[0]);
  if (revision !== undefined && revision !== before.revision)
    return { outcome: 'changed-meanwhile', email: before };
  if (!isEditable(before)) return { outcome: 'locked', email: before };

  const from = changes.from ?? before.from;
  const { rows: after } = await tx.query<EmailRow>(
    `with edited as (
       update email e set
         from_address = $2, from_name = $3, message_id = $4, reply_to = $5, recipients = $6, subject = $7,
         text_body = $8, html_body = $9,
         due_at = case when $10 then now() else $11 end, time_zone = $12, local_time = $13,
         max_lateness = $14, paused = $15, tags = $19, stream = $20,
         status = case when $2 = '' then 'held' else 'pending' end::mail_status,
         reason = case when $2 = '' then e.reason end,
         reason_detail = case when $2 = '' then e.reason_detail end,
         next_hand_over_at = case when $2 = '' then null when $10 then now() else $11 end,
         finished_at = null,
         token = $16, revision = e.revision + 1, updated_at = now()
       where id = $1
       returning e.*
     ), told as (
       insert into event (type, email_id, detail) select $17, id, $18 from edited
     )
     select ${emailColumns} from edited e`,
    [
      id,
      from?.address ?? '',
      from?.name ?? null,
      changes.from ? newMessageId(id, changes.from.address) : before.messageId,
      JSON.stringify(changes.replyTo ?? before.replyTo),
      JSON.stringify(changes.recipients ?? before.recipients),
      changes.subject ?? before.subject,
      changes.text === undefined ? before.text : changes.text,
      changes.html === undefined ? before.html : changes.html,
      changes.dueAt === 'now',
      changes.dueAt instanceof Date ? changes.dueAt : before.dueAt,
      changes.timeZone === undefined ? before.timeZone : changes.timeZone,
      changes.localTime === undefined ? before.localTime : changes.localTime,
      changes.maxLateness === undefined ? before.maxLateness : changes.maxLateness,
      changes.paused ?? before.paused,
      randomBytes(32),
      eventFor(changes, before),
      JSON.stringify({
        actor,
        changed: Object.keys(changes).filter((key) => changes[key as keyof EmailChanges] !== undefined),
      }),
      JSON.stringify(changes.tags ?? before.tags),
      changes.stream === undefined ? before.stream : changes.stream,
    ],
  );
  if (!after[0]) throw new Error('A locked email was deleted');
  const edited = toEmail(after[0]);
  if (edited.status === 'pending' && !edited.paused) await tellNewDueTime(tx, edited.dueAt);
  return { outcome: 'updated', email: edited };
}

/** Whether the relay has never seen it and it may still go: only then it can be changed. */
export const isEditable = ({ queueId, status }: Pick<Email, 'queueId' | 'status'>) =>
  queueId === null && (status === 'pending' || status === 'held' || status === 'expired');

const eventFor = ({ paused }: EmailChanges, before: Email) =>
  paused === undefined || paused === before.paused ? 'updated' : paused ? 'paused' : 'resumed';
