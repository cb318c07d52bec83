// Queues a notice to the submitter when mail fails for good, in the queue that all mail takes.
import { hostname } from 'node:os';
import type { Database } from '../../deploy/database.ts';
import { newQueueId } from '../queue-id.ts';
import type { Claimed } from './claim.ts';
import { composeNotice, type FailedRecipient, headerOf, mayNotify } from './notice.ts';

type Notification = {
  readonly mail: Claimed;
  readonly failed: readonly FailedRecipient[];
  readonly from: { readonly email: string; readonly name?: string | undefined };
  readonly remoteMta: string | null;
  readonly now?: Date;
};

/**
 * Tells the sender of a submitted mail that it failed for some recipients. Mail from the API has its timeline
 * instead; the null sender and automatic mail are never answered. Returns the queue id of the notice, if there is one.
 */
export async function notify(
  database: Database,
  { mail, failed, from, remoteMta, now = new Date() }: Notification,
): Promise<string | undefined> {
  if (mail.emailId !== null || mail.sender === '' || failed.length === 0) return undefined;
  const { rows } = await database.query<{ content: Buffer; originalMessageId: string }>(
    `select p.content, m.message_id as "originalMessageId"
     from message m join message_part p on p.queue_id = m.queue_id and p.part = 0 where m.queue_id = $1`,
    [mail.queueId],
  );
  const original = rows[0];
  const originalHeader = original ? headerOf(original.content) : '';
  if (!original || !mayNotify(mail.sender, originalHeader)) return undefined;

  const queueId = newQueueId(now);
  const messageId = `<${queueId}@${from.email.slice(from.email.lastIndexOf('@') + 1)}>`;
  const content = await composeNotice({
    queueId: mail.queueId,
    to: mail.sender,
    from,
    reportingMta: hostname(),
    remoteMta,
    receivedAt: mail.receivedAt,
    at: now,
    messageId,
    originalMessageId: original.originalMessageId,
    originalHeader,
    recipients: failed,
  });
  await database.query(
    `with notice as (
       insert into message (queue_id, credential, sender, header_from, message_id, size, priority, eight_bit)
       values ($1, 'postern', '', $2, $3, $4, 1, $5)
       returning queue_id, priority
     ), part as (
       insert into message_part (queue_id, part, content) values ($1, 0, $6)
     ), recipient_of_notice as (
       insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at)
       select queue_id, 0, $7, 'queued', priority, now() from notice
     )
     insert into event (type, queue_id, detail)
     values ('queued', $1, jsonb_build_object('noticeFor', $8::text)),
            ('notified', $8, jsonb_build_object('notice', $1::text, 'to', $7::text))`,
    [
      queueId,
      from.email,
      messageId,
      content.length,
      content.some((byte) => byte > 127),
      content,
      mail.sender,
      mail.queueId,
    ],
  );
  return queueId;
}
