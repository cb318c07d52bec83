// From an email to the bytes of its message (RFC 5322, MIME). The fields of the header are ours (header.ts); the parts
// and their encodings are nodemailer's.
import * as base64 from 'nodemailer/lib/base64';
import MimeNode from 'nodemailer/lib/mime-node';
import * as quotedPrintable from 'nodemailer/lib/qp';
import type { Attachment, EmailContent } from './email.ts';
import { asciiField, callersField, dispositionField, mailboxField, textField } from './header.ts';
import { contentTypeField, type MediaType, parameterOf, readMediaType } from './media-type.ts';

/**
 * Composes the message. The same email always gives the same bytes: its Message-ID, its Date (the due time)
 * and its MIME boundaries come from the email, so a second hand-over cannot differ from the first. Blind
 * recipients are in the envelope only.
 */
export async function composeMessage(
  email: EmailContent,
  attachments: readonly Attachment[] = [],
): Promise<Buffer> {
  const head = `${fieldsOf(email).join('\r\n')}\r\n`;
  const root = treeOf(email, partsOf(email, attachments));
  if (attachments.length === 0) return Buffer.from(endLine(head + assemble(root)));
  return Buffer.concat([Buffer.from(head), await root.build()]);
}

const fieldsOf = (email: EmailContent): string[] => [
  ...mailboxField('From', [email.from]),
  ...mailboxField('To', recipientsOf(email, 'to')),
  ...mailboxField('Cc', recipientsOf(email, 'cc')),
  ...mailboxField('Reply-To', email.replyTo),
  textField('Subject', email.subject),
  ...email.headers.map(callersField),
];

const recipientsOf = (email: EmailContent, kind: 'to' | 'cc') =>
  email.recipients.filter((recipient) => recipient.kind === kind);

type Part =
  | { readonly type: 'text/plain' | 'text/html'; readonly text: string }
  | {
      readonly type: 'file';
      readonly encoding: 'base64' | '7bit';
      readonly fields: readonly string[];
      readonly content: Buffer;
    }
  | { readonly type: 'mixed' | 'alternative' | 'related'; readonly parts: readonly Part[] };

/** What the message is made of: the files beside the text, and the text in each of its forms. */
function partsOf(email: EmailContent, attachments: readonly Attachment[]): Part {
  const files = attachments.map((each) => ({ ...each, media: mediaTypeOf(each) }));
  const isShown = ({ contentId }: Attachment) => email.html !== null && contentId !== undefined;
  const invitation = files.find(isInvitation);
  const texts: Part[] = [];
  if (email.text !== null) texts.push({ type: 'text/plain', text: toLines(email.text) });
  if (email.html !== null) {
    const html = { type: 'text/html', text: toLines(email.html) } as const;
    texts.push(among('related', [html, ...files.filter(isShown).map(filePart)]));
  }
  if (texts.length === 0) texts.push({ type: 'text/plain', text: '' });
  // Outlook and Exchange look for an invitation as the last form of the text, Gmail finds it there as well; Apple's
  // Mail and everything without a calendar want the file (RFC 6047 section 2.4, MS-OXCMAIL section 2.1.3.3.8).
  if (invitation) texts.push(invitationPart(invitation));
  const beside = files.filter((file) => !isShown(file)).map(filePart);
  return among('mixed', [among('alternative', texts), ...beside]);
}

/** Parts in a multipart, where there are several. */
const among = (type: 'mixed' | 'alternative' | 'related', parts: readonly Part[]): Part =>
  parts.length === 1 ? (parts[0] as Part) : { type, parts };

type File = Attachment & { readonly media: MediaType };

/** Rows of older versions may hold a type that is none; what it holds is then only bytes. */
function mediaTypeOf({ contentType }: Attachment): MediaType {
  const media = readMediaType(contentType);
  return 'fault' in media ? { type: 'application/octet-stream', parameters: [] } : media;
}

const isInvitation = ({ media }: File) =>
  media.type === 'text/calendar' && parameterOf(media, 'method') !== undefined;

function invitationPart({ media, content }: File): Part {
  const charset = parameterOf(media, 'charset') === undefined ? [{ name: 'charset', value: 'utf-8' }] : [];
  const typed = { type: media.type, parameters: [...media.parameters, ...charset] };
  return { type: 'file', encoding: 'base64', fields: [contentTypeField(typed)], content };
}

function filePart({ filename, contentId, media, content }: File): Part {
  const isMessage = media.type === 'message/rfc822';
  const disposition = contentId !== undefined && media.type.startsWith('image/') ? 'inline' : 'attachment';
  return {
    type: 'file',
    encoding: isMessage ? '7bit' : 'base64',
    fields: [
      contentTypeField(media, filename),
      dispositionField(disposition, filename),
      ...(contentId === undefined ? [] : [asciiField('Content-ID', `<${contentId}>`)]),
    ],
    // A message has CRLF at the ends of its lines and is not encoded (RFC 2046 section 5.2.1).
    content: isMessage ? Buffer.from(toLines(content.toString('latin1')), 'latin1') : content,
  };
}

function treeOf(email: EmailContent, part: Part): MimeNode {
  const root = new MimeNode(typeOf(part), {
    baseBoundary: email.messageId.replace(/[^0-9A-Za-z]/g, '').slice(0, 32),
    // Nothing a caller wrote may make this process read its own disk or network.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  root.setHeader('Message-ID', email.messageId);
  root.setHeader('Date', email.dueAt);
  fill(root, part);
  return root;
}

function typeOf(part: Part): string | undefined {
  if (part.type === 'file') return undefined;
  return 'parts' in part ? `multipart/${part.type}` : `${part.type}; charset=utf-8`;
}

function fill(node: MimeNode, part: Part): void {
  if ('parts' in part) {
    for (const inner of part.parts) {
      fill(node.createChild(typeOf(inner), { disableFileAccess: true, disableUrlAccess: true }), inner);
    }
  } else if (part.type === 'file') {
    for (const written of part.fields) {
      const [name = '', value = ''] = divide(written);
      node.setHeader(name, { prepared: true, value });
    }
    node.setHeader('Content-Transfer-Encoding', part.encoding);
    node.setContent(part.content);
  } else {
    node.setContent(part.text);
  }
}

function divide(field: string): [string, string] {
  const colon = field.indexOf(':');
  return [field.slice(0, colon), field.slice(colon + 2)];
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

/** RFC 5321 §2.3.8: CR and LF only ever as a pair. The relay refuses anything else. */
const toLines = (text: string) => text.replace(/\r\n|\r|\n/g, '\r\n');

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
