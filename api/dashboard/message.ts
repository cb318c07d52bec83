// A mail as it looks: its HTML in isolation, its source, its attachments. Whatever the mail contains, nothing of it runs,
// nothing is loaded from anywhere, and nobody outside learns that somebody looked.
import { createHash } from 'node:crypto';
import type { Response } from 'express';
import type { Queryable } from '../../deploy/database.ts';
import { composeMessage } from '../../relay/client/compose/compose.ts';
import { type Attachment, readAttachments } from '../../relay/client/email/attachment.ts';
import type { Email } from '../../relay/client/email/email.ts';
import { readMessageSource } from '../../relay/client/email/source.ts';
import { hidesLink } from '../emails/invitation-link.ts';

// As a document of its own: no script, no plug-in, no form, no frame, no address outside of the document.
const isolation =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'self'; sandbox";

/** Answers with the HTML of the mail, or its text, as a document that can do nothing. */
export async function sendPreview(q: Queryable, response: Response, email: Email): Promise<void> {
  const attachments = email.html?.includes('cid:') ? await readAttachments(q, email.id) : [];
  response
    .set({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': isolation,
      'cache-control': 'private, no-store',
      'referrer-policy': 'no-referrer',
    })
    .end(isolatedHtml(email.html ?? '', attachments));
}

/**
 * The policy already blocks what is loaded; these elements are taken out of use because some of what they do, such as
 * resolving a name ahead of time or moving to another address, is not loading.
 */
export function isolatedHtml(html: string, attachments: readonly Attachment[]): string {
  const withoutElements = html.replaceAll(
    /<(\/?)(link|base|meta|iframe|frame|object|embed|portal)\b/gi,
    '<$1x-$2',
  );
  const images = new Map(
    attachments.flatMap(({ contentId, contentType, content }) =>
      contentId !== undefined && /^image\/(?:png|jpeg|gif|webp)$/i.test(contentType)
        ? [[contentId, `data:${contentType};base64,${content.toString('base64')}`]]
        : [],
    ),
  );
  const whole = withoutElements.replaceAll(
    /\bcid:([^"'\s)>]+)/gi,
    (given, id: string) => images.get(id) ?? given,
  );
  return `<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light"><style>html{background:#fff}</style>${whole}`;
}

/** How many things the HTML would have loaded from elsewhere. */
export function countRemote(html: string | null): number {
  const inAttributes =
    html?.match(/\b(?:src|srcset|background|poster)\s*=\s*["']?\s*(?:https?:)?\/\//gi) ?? [];
  const inStyles = html?.match(/url\(\s*["']?\s*(?:https?:)?\/\//gi) ?? [];
  const links = html?.match(/<link\b[^>]*\bhref\s*=\s*["']?\s*(?:https?:)?\/\//gi) ?? [];
  return inAttributes.length + inStyles.length + links.length;
}

/** The message as it was handed over, or as it will be: bytes in their transfer encoding, for reading. */
export async function readSource(q: Queryable, email: Email): Promise<Buffer | undefined> {
  const source = await readBytes(q, email);
  return source && hidesLink(email) ? headerOf(source) : source;
}

/** Answers with the source, as text to read. */
export function sendSource(response: Response, source: Buffer): void {
  response
    .set({
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'private, no-store',
    })
    .end(source);
}

/** An invitation that was sent keeps its link to itself, in whatever transfer encoding the body is. */
function headerOf(source: Buffer): Buffer {
  const end = source.indexOf('\r\n\r\n');
  return Buffer.concat([
    source.subarray(0, end < 0 ? 0 : end + 4),
    Buffer.from('(The body of an invitation is not shown once it was sent: its link lets people in.)\r\n'),
  ]);
}

async function readBytes(q: Queryable, email: Email): Promise<Buffer | undefined> {
  if (email.queueId !== null) {
    const source = await readMessageSource(q, email.queueId);
    if (source) return source;
  }
  if (email.erasedAt !== null || email.from === null) return undefined;
  return composeMessage({ ...email, from: email.from }, await readAttachments(q, email.id));
}

export type AttachmentView = {
  readonly ordinal: number;
  readonly filename: string;
  readonly content_type: string;
  readonly size: number;
};

export async function listAttachments(q: Queryable, emailId: string): Promise<AttachmentView[]> {
  const { rows } = await q.query<AttachmentView>(
    `select ordinal, filename, content_type, octet_length(content) as size
     from email_attachment where email_id = $1 order by ordinal`,
    [emailId],
  );
  return rows;
}

/** Answers with one attachment, always as a file to keep: none is ever shown as a page of ours. */
export function sendAttachment(response: Response, { filename, content }: Attachment): void {
  response.attachment(filename);
  response
    .set({
      'content-type': 'application/octet-stream',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'private, no-store',
      etag: `"${createHash('sha256').update(content).digest('base64url')}"`,
    })
    .end(content);
}
