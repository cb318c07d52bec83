// A mail as it looks: its HTML in isolation, its source, its attachments. Whatever the mail contains, nothing of it runs,
// nothing is loaded from anywhere, and nobody outside learns that somebody looked.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { layOutMessage } from '../../relay/client/compose/compose.ts';
import { type AttachedFile, openAttachments } from '../../relay/client/email/attachment.ts';
import type { Email } from '../../relay/client/email/email.ts';
import { openMessageSource } from '../../relay/client/email/source.ts';
import { hidesLink } from '../emails/invitation-link.ts';
import { withShownLinks } from './links.ts';

// As a document of its own: no script, no plug-in, no form, no frame, no address outside of the document.
// A link opens a window of its own, with a page of ours that shows where it leads.
const isolation = (images: string) =>
  `default-src 'none'; style-src 'unsafe-inline'; img-src ${images}; font-src data:; base-uri 'none'; ` +
  "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";

export const previewQuery = z.strictObject({
  remote: z.literal('1').optional(),
  dark: z.literal('1').optional(),
});

export type PreviewWishes = {
  /** Remote images are loaded by the browser itself: the sender sees it. */
  readonly remote?: boolean;
  readonly dark?: boolean;
};

/** Answers with the HTML of the mail as a document that can do nothing. */
export async function sendPreview(
  q: Queryable,
  response: Response,
  email: Email,
  wishes: PreviewWishes = {},
): Promise<void> {
  const files = email.html?.includes('cid:') ? await openAttachments(q, email.id) : [];
  await sendIsolated(response, email.html ?? '', files, wishes);
}

/** @param files among them the pictures that the HTML shows by `cid:` */
export async function sendIsolated(
  response: Response,
  html: string,
  files: readonly AttachedFile[],
  wishes: PreviewWishes,
): Promise<void> {
  response.set({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': isolation(wishes.remote ? 'data: https: http:' : 'data:'),
    'cache-control': 'private, no-store',
    'referrer-policy': 'no-referrer',
  });
  await sendPieces(response, written(isolatedHtml(html, files, wishes)));
}

/** So many octets of images are shown; behind them, the HTML keeps their `cid:` addresses. */
const mostImageBytes = 64 * 1024 * 1024;

/**
 * The policy already blocks what is loaded; these elements are taken out of use because some of what they do, such as
 * resolving a name ahead of time or moving to another address, is not loading.
 */
export function isolatedHtml(
  html: string,
  files: readonly AttachedFile[],
  { dark = false }: PreviewWishes = {},
): (string | AttachedFile)[] {
  const tame = withShownLinks(
    html.replaceAll(/<(\/?)(link|base|meta|iframe|frame|object|embed|portal)\b/gi, '<$1x-$2'),
  );
  const images = new Map(
    files.flatMap((file) =>
      file.contentId !== undefined && /^image\/(?:png|jpeg|gif|webp)$/i.test(file.contentType)
        ? [[file.contentId, file]]
        : [],
    ),
  );
  const parts: (string | AttachedFile)[] = [
    `<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="${dark ? 'dark' : 'light'}"><style>html{background:${dark ? '#1b1b1b' : '#fff'}}</style>`,
  ];
  let at = 0;
  let bytes = 0;
  for (const { 0: given, 1: contentId = '', index } of tame.matchAll(/\bcid:([^"'\s)>]+)/gi)) {
    const image = images.get(contentId);
    if (!image || bytes + image.size > mostImageBytes) continue;
    parts.push(tame.slice(at, index), image);
    bytes += image.size;
    at = index + given.length;
  }
  return [...parts, tame.slice(at)];
}

/** Images as `data:` addresses. Their pieces are whole groups of three octets, so that the base64 of each stands alone. */
async function* written(parts: readonly (string | AttachedFile)[]): AsyncGenerator<string> {
  for (const part of parts) {
    if (typeof part === 'string') yield part;
    else {
      yield `data:${part.contentType};base64,`;
      for await (const piece of part.pieces()) yield piece.toString('base64');
    }
  }
}

/** Answers piece by piece, as fast as the browser reads: nobody holds the whole. */
async function sendPieces(response: Response, pieces: AsyncIterable<Buffer | string>): Promise<void> {
  await pipeline(Readable.from(pieces), response).catch((error: { code?: string }) => {
    // Whoever closed the window wants no more of it.
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

/**
 * How many things the HTML would have loaded from elsewhere. Each expression reads a text once, however it is written:
 * the HTML may be 5 MB of blanks.
 */
export function countRemote(html: string | null): number {
  const inAttributes =
    html?.match(/\b(?:src|srcset|background|poster)\s*=\s*(?:["']\s*)?(?:https?:)?\/\//gi) ?? [];
  const inStyles = html?.match(/url\(\s*(?:["']\s*)?(?:https?:)?\/\//gi) ?? [];
  const links = html?.match(/<link\b[^<>]*\bhref\s*=\s*(?:["']\s*)?(?:https?:)?\/\//gi) ?? [];
  return inAttributes.length + inStyles.length + links.length;
}

/** The message as it was handed over, or as it will be: bytes in their transfer encoding, for reading. */
export async function openSource(q: Queryable, email: Email): Promise<AsyncGenerator<Buffer> | undefined> {
  const source = await openBytes(q, email);
  return source && hidesLink(email) ? headerOf(source) : source;
}

/** Answers with the source, as text to read. */
export async function sendSource(response: Response, source: AsyncIterable<Buffer>): Promise<void> {
  response.set({
    'content-type': 'text/plain; charset=utf-8',
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'private, no-store',
  });
  await sendPieces(response, source);
}

/** An invitation that was sent keeps its link to itself, in whatever transfer encoding the body is. */
async function* headerOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head = Buffer.alloc(0);
  for await (const piece of source) {
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end >= 0) {
      yield head.subarray(0, end + 4);
      break;
    }
  }
  yield Buffer.from('(The body of a sent invitation is not shown, because its link gives access.)\r\n');
}

async function openBytes(q: Queryable, email: Email): Promise<AsyncGenerator<Buffer> | undefined> {
  if (email.queueId !== null) {
    const source = await openMessageSource(q, email.queueId);
    if (source) return source;
  }
  if (email.erasedAt !== null || email.from === null) return undefined;
  return layOutMessage({ ...email, from: email.from }, await openAttachments(q, email.id)).pieces();
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

const pictures = /^image\/(?:png|jpeg|gif|webp)$/i;
const largestPicture = 5_000_000;

/** Whether it can be shown small: a kind of picture that runs nothing. */
export const isPicture = ({ contentType, size }: AttachedFile): boolean =>
  pictures.test(contentType) && size <= largestPicture;

/** Answers with a picture to show beside its name. */
export async function sendPicture(response: Response, file: AttachedFile): Promise<void> {
  response.set({
    'content-type': file.contentType,
    'content-length': String(file.size),
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-store',
  });
  await sendPieces(response, file.pieces());
}

/** Answers with one attachment, always as a file to keep: none is ever shown as a page of ours. */
export async function sendAttachment(response: Response, file: AttachedFile): Promise<void> {
  response.attachment(file.filename);
  response.set({
    'content-type': 'application/octet-stream',
    'content-length': String(file.size),
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'private, no-store',
  });
  await sendPieces(response, file.pieces());
}
