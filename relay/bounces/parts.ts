// The parts of a mail as far as a report needs them. mailparser takes the MIME apart; here is what bounds it: of a
// report, the words and the machine's part come first (RFC 6522 §3), and of the returned mail only the header matters.
import type { AttachmentStream, HeaderLines, Headers, MessageText } from 'mailparser';
import { type Fields, readFields } from './fields.ts';

/** Nothing behind this is read, whatever the mail's size. */
export const readLimit = 1024 * 1024;

const partLimit = 64 * 1024;
const textLimit = 64 * 1024;
const keptParts = 20;

export type Part = { readonly type: string; readonly content: string };

export type Parts = {
  readonly header: Fields;
  /** Decoded (RFC 2047). */
  readonly subject: string;
  /** All plain text of the mail, or what its HTML says. */
  readonly text: string;
  /** What is no text to read, in order: the machine's part and the returned mail are among them. */
  readonly attached: readonly Part[];
};

// The library takes the splitter's options, too, which its types do not tell.
const options = {
  keepDeliveryStatus: true,
  skipTextToHtml: true,
  skipTextLinks: true,
  skipImageLinks: true,
  maxHtmlLengthToParse: textLimit,
  ignoreEmbedded: true,
  maxHeadSize: 256 * 1024,
  maxChildNodes: 100,
};

/** Rejects when the bytes are nothing that could be read as a mail. */
export async function readParts(bytes: Uint8Array): Promise<Parts> {
  // Loaded with the first mail: it and what it needs take some 7 MB, which a relay that reads no mailbox does not spend.
  const { MailParser } = await import('mailparser');
  const parser = new MailParser(options);
  let header: Fields = readFields('');
  let subject = '';
  let text = '';
  const attached: Part[] = [];
  // The library hands out bytes as characters.
  parser.on('headerLines', (lines: HeaderLines) => {
    header = readFields(lines.map(({ line }) => Buffer.from(line, 'latin1').toString('utf8')).join('\n'));
  });
  parser.on('headers', (headers: Headers) => {
    subject = String(headers.get('subject') ?? '');
  });
  parser.on('data', (data: AttachmentStream | MessageText) => {
    if (data.type === 'text') {
      text = (data.text ?? '').slice(0, textLimit);
      return;
    }
    const keep = attached.length < keptParts;
    const place = attached.length;
    if (keep) attached.push({ type: (data.contentType ?? '').toLowerCase(), content: '' });
    const chunks: Buffer[] = [];
    let length = 0;
    data.content.on('data', (chunk: Buffer) => {
      if (!keep || length >= partLimit) return;
      chunks.push(chunk);
      length += chunk.length;
    });
    data.content.on('error', (error: Error) => parser.destroy(error));
    data.content.on('end', () => {
      const entry = attached[place];
      if (keep && entry !== undefined) {
        const content = Buffer.concat(chunks)
          .subarray(0, partLimit)
          .toString('utf8')
          .replaceAll('\r\n', '\n');
        attached[place] = { ...entry, content };
      }
      data.release();
    });
  });
  await new Promise<void>((resolve, reject) => {
    parser.on('error', reject);
    parser.on('end', resolve);
    parser.end(Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, readLimit)));
  });
  const isText = ({ type }: Part) => type.startsWith('text/plain');
  const written = [text, ...attached.filter(isText).map(({ content }) => content)].filter(
    (each) => each.trim() !== '',
  );
  const rest = attached.filter((part) => !isText(part));
  // Parts that were announced and never came: all of it is one text.
  const raw = written.length === 0 && !rest.some(({ content }) => content !== '') ? bodyOf(bytes) : '';
  return { header, subject, text: written.join('\n\n').slice(0, textLimit) || raw, attached: rest };
}

function bodyOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, textLimit)).toString(
    'utf8',
  );
  return text
    .replaceAll('\r\n', '\n')
    .split(/\n[ \t]*\n/)
    .slice(1)
    .join('\n\n');
}
