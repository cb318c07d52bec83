// Sending again: a new email with the content of another, linked to it. What became of the first stays as it is.
import type { Queryable } from '../../../deploy/database.ts';
import type { Status } from '../vocabulary.ts';
import type { Email } from './email.ts';
import { type InsertedEmail, insertEmail } from './insert.ts';
import { appendEvents } from './timeline.ts';

/** Whether what it said is still there. */
export const isKept = ({ erasedAt }: Pick<Email, 'erasedAt'>): boolean => erasedAt === null;

/**
 * Stores a new email that leaves at once, with what this one says, within the caller's transaction.
 *
 * @param actor who asked, for the timeline
 */
export async function insertAgain(
  tx: Queryable,
  email: Email,
  { actor, apiKeyId, traceparent }: { actor: string; apiKeyId: string | undefined; traceparent: string },
): Promise<InsertedEmail> {
  const inserted = await insertEmail(tx, {
    // It has no time of its own, and is no entry of a form.
    kind: email.kind === 'scheduled' ? 'single' : email.kind,
    from: email.from ?? undefined,
    replyTo: email.replyTo,
    recipients: email.recipients,
    subject: email.subject,
    text: email.text ?? undefined,
    html: email.html ?? undefined,
    headers: email.headers,
    onUncertain: email.onUncertain ?? undefined,
    customerId: email.customerId ?? undefined,
    clientId: email.clientId ?? undefined,
    apiKeyId: apiKeyId ?? email.apiKeyId ?? undefined,
    tags: email.tags,
    stream: email.stream,
    ignoreSuppression: email.ignoreSuppression,
    traceparent,
  });
  await tx.query('update email set again_of = $2 where id = $1', [inserted.id, email.id]);
  const attachedBytes = await copyAttachments(tx, email.id, inserted.id);
  await appendEvents(tx, [
    { type: 'sent-again', emailId: email.id, detail: { actor, emailId: inserted.id } },
  ]);
  const { claim } = inserted;
  return attachedBytes === 0 || !claim
    ? inserted
    : { ...inserted, claim: { ...claim, hasAttachments: true, attachedBytes } };
}

/** Within the database: they may be 24 MB. Answers how many bytes they have. */
async function copyAttachments(tx: Queryable, from: string, to: string): Promise<number> {
  const { rows } = await tx.query<{ bytes: number }>(
    `with copied as (
       insert into email_attachment (email_id, ordinal, filename, content_type, content_id, content)
       select $2, ordinal, filename, content_type, content_id, content from email_attachment where email_id = $1
       returning octet_length(content) as bytes
     )
     select coalesce(sum(bytes), 0)::integer as bytes from copied`,
    [from, to],
  );
  return rows[0]?.bytes ?? 0;
}

export type SentAgain = { readonly id: string; readonly status: Status; readonly created_at: Date };

const mostShown = 20;

/** The emails that were made of this one, newest first. */
export async function readSentAgain(q: Queryable, emailId: string): Promise<SentAgain[]> {
  const { rows } = await q.query<SentAgain>(
    `select id, status, created_at from email where again_of = $1 order by id desc limit ${mostShown}`,
    [emailId],
  );
  return rows;
}
