// An attachment as the client sends it, as POST /api/v1/emails takes it.
import { extname } from 'node:path';

/** Where neither the caller nor the server that has the file says what it is, its name does. */
const typesByEnding: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  '.gif': 'image/gif',
  '.html': 'text/html',
  '.ics': 'text/calendar',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.webp': 'image/webp',
  '.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  '.xml': 'application/xml',
  '.zip': 'application/zip',
};

export function toAttachment(given: unknown, index: number): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  const { filename, content, content_type, content_id, inline_content_id, ...same } = given as Readonly<
    Record<string, unknown>
  >;
  const id = content_id ?? inline_content_id;
  return {
    ...same,
    // `false` says that the file has no name; in a message each has one, so that it can be saved.
    filename: isMissing(filename) ? `attachment-${index + 1}` : filename,
    content: contentOf(content),
    content_type: content_type ?? typeByName(filename),
    ...(!isMissing(id) && { content_id: id }),
  };
}

const isMissing = (value: unknown) =>
  value === undefined || value === null || value === false || value === '';

const typeByName = (filename: unknown): string | undefined =>
  typeof filename === 'string' ? typesByEnding[extname(filename).toLowerCase()] : undefined;

/** Clients up to 6.22 send a Buffer as JSON writes it: `{"type":"Buffer","data":[37,80]}`. */
function contentOf(content: unknown): unknown {
  if (typeof content !== 'object' || content === null || Buffer.isBuffer(content)) return content;
  const { type, data } = content as { type?: unknown; data?: unknown };
  if (type !== 'Buffer') return content;
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) && data.every(isOctet) ? Buffer.from(data) : content;
}

const isOctet = (value: unknown) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
