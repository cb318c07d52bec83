// From an email to the bytes of its message (RFC 5322, MIME).
import * as base64 from 'nodemailer/lib/base64';
import MailComposer from 'nodemailer/lib/mail-composer';
import MimeNode from 'nodemailer/lib/mime-node';
import * as quotedPrintable from 'nodemailer/lib/qp';
import type { Address, Attachment, EmailContent } from './email.ts';

/**
 * Composes the message. The same email always gives the same bytes: its Message-ID, its Date (the due time)
 * and its MIME boundaries come from the email, so a second hand-over cannot differ from the first. Blind
 * recipients are in the envelope only.
 */
export async function composeMessage(
  email: EmailContent,
  attachments: readonly Attachment[] = [],
): Promise<Buffer> {
  if (attachments.length === 0) return Buffer.from(endLine(assemble(treeOf(email))));
  const { from, to, cc, 'reply-to': replyTo, subject, 'message-id': messageId, date } = fieldsOf(email);
  const composer = new MailComposer({
    ...{ from, to, cc, replyTo, subject, messageId, date },
    text: email.text === null ? undefined : toLines(email.text),
    html: email.html === null ? undefined : toLines(email.html),
    headers: ownFieldsOf(email),
    attachments: attachments.map(({ filename, contentType, contentId, content }) => ({
      filename,
      contentType,
      content,
      ...(contentId === undefined ? {} : { cid: contentId }),
    })),
    baseBoundary: boundaryOf(email),
    // Nothing a caller wrote may make this process read its own disk or network.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}

const fieldsOf = (email: EmailContent) => ({
  from: toMailbox(email.from),
  to: mailboxesOf(email, 'to'),
  cc: mailboxesOf(email, 'cc'),
  'reply-to': email.replyTo.map(toMailbox),
  subject: email.subject,
  'message-id': email.messageId,
  date: email.dueAt,
});

const ownFieldsOf = ({ headers }: EmailContent) => headers.map(({ name, value }) => ({ key: name, value }));

const boundaryOf = ({ messageId }: EmailContent) => messageId.replace(/[^0-9A-Za-z]/g, '').slice(0, 32);

/**
 * The tree that MailComposer would make of a mail without attachments, in half of its time: a worker composes
 * thousands of them when a minute begins.
 */
function treeOf(email: EmailContent): MimeNode {
  const [first, ...others] = textsOf(email);
  const options = { baseBoundary: boundaryOf(email), disableFileAccess: true, disableUrlAccess: true };
  const root = new MimeNode(others.length > 0 ? 'multipart/alternative' : first.contentType, options);
  if (others.length === 0) root.setContent(first.content);
  else
    for (const text of [first, ...others])
      root.createChild(text.contentType, options).setContent(text.content);
  root.addHeader(ownFieldsOf(email));
  for (const [name, value] of Object.entries(fieldsOf(email))) root.setHeader(name, value);
  return root;
}

type Text = { readonly contentType: string; readonly content: string };

function textsOf({ text, html }: EmailContent): [Text, ...Text[]] {
  const plain = { contentType: 'text/plain; charset=utf-8', content: toLines(text ?? '') };
  if (html === null) return [plain];
  const rich = { contentType: 'text/html; charset=utf-8', content: toLines(html) };
  return text === null ? [rich] : [plain, rich];
}

const endLine = (text: string) => (text.endsWith('\r\n') ? text : `${text}\r\n`);

/**
 * What `build()` does, for texts that are in memory anyway. Its streams cost half of the time a hand-over takes;
 * large attachments still go through them, so that encoding one does not stop everything else.
 */
function assemble(node: MimeNode): string {
  const head = `${node.buildHeaders()}\r\n\r\n`;
  if (node.multipart) {
    const parts = node.childNodes.map((child) => `--${node.boundary}\r\n${assemble(child)}`);
    return `${head}${parts.join('\r\n')}\r\n--${node.boundary}--\r\n`;
  }
  const text = typeof node.content === 'string' ? node.content : '';
  const encoding = String(node.getHeader('Content-Transfer-Encoding'));
  if (encoding === 'quoted-printable') return head + quotedPrintable.wrap(quotedPrintable.encode(text));
  if (encoding === 'base64') return head + base64.wrap(base64.encode(text));
  return head + text;
}

const mailboxesOf = (email: EmailContent, kind: 'to' | 'cc') =>
  email.recipients.filter((recipient) => recipient.kind === kind).map(toMailbox);

/** RFC 5321 §2.3.8: CR and LF only ever as a pair. The relay refuses anything else. */
const toLines = (text: string) => text.replace(/\r\n|\r|\n/g, '\r\n');

const toMailbox = ({ address, name = '' }: Address) => ({ address, name });

/** Who the message is really from and for: SMTP's MAIL FROM and RCPT TO, each recipient once. */
export function envelopeOf(email: EmailContent): { from: string; to: string[] } {
  return { from: email.from.address, to: [...new Set(email.recipients.map(({ address }) => address))] };
}

/**
 * Whether callers may not set this header field themselves: it belongs to the envelope, to the composer or to
 * the conversation between Postern's own processes.
 */
export function isReservedHeader(name: string): boolean {
  return reserved.test(name);
}

const reserved =
  /^(?:x-postern-.*|from|sender|to|cc|bcc|reply-to|subject|date|message-id|received|return-path|mime-version|content-.*|resent-.*|dkim-signature)$/i;
