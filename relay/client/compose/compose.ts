// From an email to the bytes of its message (RFC 5322, MIME). The fields of the header are ours (header.ts); the parts
// and their encodings are nodemailer's.
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as base64 from 'nodemailer/lib/base64';
import MimeNode from 'nodemailer/lib/mime-node';
import * as quotedPrintable from 'nodemailer/lib/qp';
import { type AttachedFile, type Attachment, pieceBytes } from '../email/attachment.ts';
import type { EmailContent } from '../email/email.ts';
import { asciiField, callersField, dispositionField, mailboxField, textField } from './header.ts';
import { contentTypeField, type MediaType, parameterOf, readMediaType } from './media-type.ts';

/** A message that is never in memory as a whole. */
export type Message = {
  /** At least so many octets: what is sent without an encoding grows where its lines do not end in CRLF. */
  readonly leastBytes: number;
  /** The octets, from the first one at each call. */
  readonly pieces: () => AsyncGenerator<Buffer>;
};

/**
 * Lays out the message. The same email always gives the same bytes: its Message-ID, its Date (the due time)
 * and its MIME boundaries come from the email, so a second hand-over cannot differ from the first. Blind
 * recipients are in the envelope only.
 */
export function layOutMessage(email: EmailContent, files: readonly AttachedFile[] = []): Message {
  const segments = segmentsOf(email, files);
  return {
    leastBytes: segments.reduce(
      (sum, each) => sum + (typeof each === 'string' ? Buffer.byteLength(each) : each.leastBytes),
      0,
    ),
    async *pieces() {
      for (const each of segments) {
        if (typeof each === 'string') yield Buffer.from(each);
        else yield* each.encoded();
      }
    },
  };
}

/** The message as a whole. */
export async function composeMessage(
  email: EmailContent,
  attachments: readonly Attachment[] = [],
): Promise<Buffer> {
  const { pieces } = layOutMessage(email, attachments.map(inMemory));
  return Buffer.concat(await Array.fromAsync(pieces()));
}

const inMemory = ({ content, ...rest }: Attachment): AttachedFile => ({
  ...rest,
  size: content.length,
  async *pieces() {
    for (let at = 0; at < content.length; at += pieceBytes) {
      // Encoding a large file must not stop everything else.
      if (at > 0) await nextTurn();
      yield content.subarray(at, at + pieceBytes);
    }
  },
});

function segmentsOf(email: EmailContent, files: readonly AttachedFile[]): Segment[] {
  const contents: Contents = new Map();
  const root = treeOf(email, partsOf(email, files), contents);
  const [first = '', ...rest] = assemble(root, contents);
  const segments = [`${fieldsOf(email).join('\r\n')}\r\n${first}`, ...rest];
  const last = segments.at(-1) ?? '';
  const endsLine = typeof last === 'string' ? last.endsWith('\r\n') : last.endsLine;
  return endsLine ? segments : [...segments, '\r\n'];
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
      readonly content: Pick<AttachedFile, 'size' | 'pieces'>;
    }
  | { readonly type: 'mixed' | 'alternative' | 'related'; readonly parts: readonly Part[] };

/** What the message is made of: the files beside the text, and the text in each of its forms. */
function partsOf(email: EmailContent, attached: readonly AttachedFile[]): Part {
  const files = attached.map((each) => ({ ...each, media: mediaTypeOf(each) }));
  const isShown = ({ contentId }: AttachedFile) => email.html !== null && contentId !== undefined;
  const invitation = files.find(isInvitation);
  const texts: Part[] = [];
  if (email.text !== null) texts.push({ type: 'text/plain', text: email.text });
  if (email.html !== null) {
    const html = { type: 'text/html', text: email.html } as const;
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

type File = AttachedFile & { readonly media: MediaType };

/** Rows of older versions may hold a type that is none; what it holds is then only bytes. */
function mediaTypeOf({ contentType }: AttachedFile): MediaType {
  const media = readMediaType(contentType);
  return 'fault' in media ? { type: 'application/octet-stream', parameters: [] } : media;
}

const isInvitation = ({ media }: File) =>
  media.type === 'text/calendar' && parameterOf(media, 'method') !== undefined;

function invitationPart({ media, ...content }: File): Part {
  const charset = parameterOf(media, 'charset') === undefined ? [{ name: 'charset', value: 'utf-8' }] : [];
  const typed = { type: media.type, parameters: [...media.parameters, ...charset] };
  return { type: 'file', encoding: 'base64', fields: [contentTypeField(typed)], content };
}

function filePart(file: File): Part {
  const { filename, contentId, media } = file;
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
    content: file,
  };
}

function treeOf(email: EmailContent, part: Part, contents: Contents): MimeNode {
  const root = new MimeNode(typeOf(part), {
    baseBoundary: email.messageId.replace(/[^0-9A-Za-z]/g, '').slice(0, 32),
    // Nothing a caller wrote may make this process read its own disk or network.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  root.setHeader('Message-ID', email.messageId);
  root.setHeader('Date', email.dueAt);
  fill(root, part, contents);
  return root;
}

function typeOf(part: Part): string | undefined {
  if (part.type === 'file') return undefined;
  return 'parts' in part ? `multipart/${part.type}` : `${part.type}; charset=utf-8`;
}

function fill(node: MimeNode, part: Part, contents: Contents): void {
  if ('parts' in part) {
    for (const inner of part.parts) {
      const child = node.createChild(typeOf(inner), { disableFileAccess: true, disableUrlAccess: true });
      fill(child, inner, contents);
    }
  } else if (part.type === 'file') {
    for (const written of part.fields) {
      const [name = '', value = ''] = divide(written);
      node.setHeader(name, { prepared: true, value });
    }
    node.setHeader('Content-Transfer-Encoding', part.encoding);
    const { content } = part;
    contents.set(
      node,
      part.encoding === 'base64'
        ? {
            leastBytes: base64Length(content.size),
            endsLine: true,
            encoded: () => inBase64(content.pieces()),
          }
        : // A message has CRLF at the ends of its lines and is not encoded (RFC 2046 section 5.2.1).
          { leastBytes: content.size, endsLine: false, encoded: () => inLines(content.pieces()) },
    );
  } else if (part.text.length <= sliceLength) {
    node.setContent(toLines(part.text));
  } else {
    fillLong(node, part.text, contents);
  }
}

/** A long text is encoded slice by slice, and how is decided by its first slice: megabytes at once stop all else. */
function fillLong(node: MimeNode, text: string, contents: Contents): void {
  const [sample = ''] = slicesOf(text);
  const isForeign = new MimeNode('text/plain').setContent(sample).getTransferEncoding() === 'base64';
  node.setHeader('Content-Transfer-Encoding', isForeign ? 'base64' : 'quoted-printable');
  const encoded = () => (isForeign ? inBase64(inUtf8(text)) : inQuotedPrintable(text));
  contents.set(node, { leastBytes: text.length, endsLine: isForeign || /[\r\n]$/.test(text), encoded });
}

function divide(field: string): [string, string] {
  const colon = field.indexOf(':');
  return [field.slice(0, colon), field.slice(colon + 2)];
}

/** What is large and encoded while it is sent. */
type Content = {
  readonly leastBytes: number;
  readonly endsLine: boolean;
  readonly encoded: () => AsyncGenerator<Buffer>;
};
type Contents = Map<MimeNode, Content>;
type Segment = string | Content;

/** What nodemailer's `build()` does, without its streams, which cost half of the time a hand-over takes. */
function assemble(node: MimeNode, contents: Contents): Segment[] {
  const head = `${node.buildHeaders()}\r\n\r\n`;
  if (node.multipart) {
    const parts = node.childNodes.flatMap((child) => [
      `--${node.boundary}\r\n`,
      ...assemble(child, contents),
      '\r\n',
    ]);
    return [head, ...parts, `--${node.boundary}--\r\n`];
  }
  const content = contents.get(node);
  if (content) return [head, content];
  const text = typeof node.content === 'string' ? node.content : '';
  const encoding = String(node.getHeader('Content-Transfer-Encoding'));
  if (encoding === 'quoted-printable') return [head + quotedPrintable.wrap(quotedPrintable.encode(text))];
  if (encoding === 'base64') return [head + base64.wrap(base64.encode(text))];
  return [head + text];
}

// RFC 2045 section 6.8: lines of 76 characters, which are 57 octets.
const lineBytes = 57;

const base64Length = (bytes: number) => Math.ceil(bytes / 3) * 4 + Math.ceil(bytes / lineBytes) * 2;

async function* inBase64(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    const all = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    const whole = all.length - (all.length % lineBytes);
    rest = Buffer.from(all.subarray(whole));
    if (whole > 0) {
      yield Buffer.from(all.toString('base64', 0, whole).replaceAll(/.{76}/g, '$&\r\n'), 'latin1');
    }
  }
  if (rest.length > 0) yield Buffer.from(`${rest.toString('base64')}\r\n`, 'latin1');
}

/** Every line ends in CRLF, also where a piece ends between the two. */
async function* inLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held = '';
  for await (const piece of pieces) {
    const text = held + piece.toString('latin1');
    held = text.endsWith('\r') ? '\r' : '';
    yield Buffer.from(toLines(text.slice(0, text.length - held.length)), 'latin1');
  }
  if (held !== '') yield Buffer.from('\r\n');
}

const sliceLength = 65_536;

/** Slices that end neither inside of a character nor between CR and LF. */
function* slicesOf(text: string): Generator<string> {
  for (let at = 0, end = 0; at < text.length; at = end) {
    end = at + sliceLength;
    if (/^(?:\r\n|[\ud800-\udbff][\udc00-\udfff])$/.test(text.slice(end - 1, end + 1))) end++;
    yield text.slice(at, end);
  }
}

async function* inUtf8(text: string): AsyncGenerator<Buffer> {
  for (const slice of slicesOf(text)) {
    yield Buffer.from(toLines(slice));
    await nextTurn();
  }
}

/** RFC 2045 section 6.7: a slice that ends inside of a line ends in a soft line break. */
async function* inQuotedPrintable(text: string): AsyncGenerator<Buffer> {
  let isOpen = false;
  for (const slice of slicesOf(text)) {
    // One shorter than usual: `=` may follow.
    const encoded = quotedPrintable.wrap(quotedPrintable.encode(toLines(slice)), 75);
    yield Buffer.from(isOpen ? `=\r\n${encoded}` : encoded, 'latin1');
    isOpen = !encoded.endsWith('\r\n');
    await nextTurn();
  }
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
