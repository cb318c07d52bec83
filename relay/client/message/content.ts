// What a stored message says, for whoever looks at it: its texts up to a bound, and the list of its files.
import { type PartHead, readParts } from './parts.ts';

// What a browser shows without stopping. The source has all of it.
const mostTextBytes = 1_000_000;
const mostFiles = 100;
// All pictures that the HTML shows, together: they are held while they are written into it.
const mostPictureBytes = 8_000_000;

export type MessageFile = {
  readonly ordinal: number;
  readonly filename: string;
  readonly contentType: string;
  readonly contentId: string | undefined;
  /** Decoded. */
  readonly size: number;
};

export type MessageContent = {
  /** Null when there is none. */
  readonly text: string | null;
  readonly html: string | null;
  /** A text goes on behind what is here. */
  readonly isCut: boolean;
  readonly files: readonly MessageFile[];
  /** There are more files than these. */
  readonly isMore: boolean;
};

export async function readContent(source: AsyncIterable<Buffer>): Promise<MessageContent> {
  const texts = { 'text/plain': openTexts(), 'text/html': openTexts() };
  const files: (MessageFile & { size: number })[] = [];
  let isMore = false;
  for await (const { part, octets } of readParts(source)) {
    if (part.isText) {
      texts[part.contentType as keyof typeof texts].add(part, octets);
    } else if (octets) {
      const file = files.at(-1);
      if (file?.ordinal === part.ordinal) file.size += octets.length;
    } else if (files.length < mostFiles) files.push(fileOf(part));
    else isMore = true;
  }
  const plain = texts['text/plain'];
  const html = texts['text/html'];
  return {
    text: plain.read('\n'),
    html: html.read('<br>\n'),
    isCut: plain.isCut || html.isCut,
    files,
    isMore,
  };
}

const fileOf = ({ ordinal, contentType, contentId, filename }: PartHead) => ({
  ordinal,
  filename: filename ?? `part-${ordinal + 1}`,
  contentType,
  contentId,
  size: 0,
});

/** The texts of one kind, each in its own character set, no more than the bound together. */
function openTexts() {
  const texts: { readonly charset: string; readonly pieces: Buffer[] }[] = [];
  let bytes = 0;
  let isCut = false;
  return {
    get isCut() {
      return isCut;
    },
    add({ charset }: PartHead, octets: Buffer | undefined): void {
      if (!octets) {
        texts.push({ charset, pieces: [] });
        return;
      }
      const taken = octets.subarray(0, mostTextBytes - bytes);
      bytes += taken.length;
      if (taken.length < octets.length) isCut = true;
      // Copied, so that no larger piece is kept for the sake of its beginning.
      if (taken.length > 0) texts.at(-1)?.pieces.push(Buffer.from(taken));
    },
    read: (between: string): string | null =>
      texts.length === 0
        ? null
        : texts.map(({ charset, pieces }) => decode(Buffer.concat(pieces), charset)).join(between),
  };
}

function decode(octets: Buffer, charset: string): string {
  try {
    return new TextDecoder(charset).decode(octets);
  } catch {
    // A character set that nobody knows.
    return octets.toString('utf8');
  }
}

export type Picture = MessageFile & { readonly content: Buffer };

/** The pictures with these ids, as far as they fit. */
export async function readPictures(
  source: AsyncIterable<Buffer>,
  contentIds: ReadonlySet<string>,
): Promise<Picture[]> {
  const pictures: { readonly part: PartHead; pieces: Buffer[]; size: number }[] = [];
  let bytes = 0;
  for await (const { part, octets } of readParts(source)) {
    if (part.contentId === undefined || !contentIds.has(part.contentId)) continue;
    if (!octets) pictures.push({ part, pieces: [], size: 0 });
    const picture = pictures.at(-1);
    if (!octets || picture?.part.ordinal !== part.ordinal) continue;
    bytes += octets.length;
    picture.size += octets.length;
    if (bytes <= mostPictureBytes) picture.pieces.push(octets);
    else pictures.pop();
  }
  return pictures.map(({ part, pieces, size }) => ({
    ...fileOf(part),
    size,
    content: Buffer.concat(pieces),
  }));
}

/** One file, piece by piece. */
export async function* readFile(source: AsyncIterable<Buffer>, ordinal: number): AsyncGenerator<Buffer> {
  for await (const { part, octets } of readParts(source)) {
    if (part.ordinal > ordinal) return;
    if (part.ordinal === ordinal && octets) yield octets;
  }
}
