// The parts of a stored message, taken apart while its octets go by: nobody holds all of them, whatever its size.
import { Readable, type Transform } from 'node:stream';
import type { MimeNode, SplitterChunk } from '@zone-eu/mailsplit';

/** A part without parts of its own (RFC 2045 section 2.5), in the order of the message. */
export type PartHead = {
  readonly ordinal: number;
  readonly contentType: string;
  readonly charset: string;
  readonly isText: boolean;
  readonly filename: string | undefined;
  readonly contentId: string | undefined;
};

const limits = {
  // A message that was forwarded as a file is one file.
  ignoreEmbedded: true,
  maxHeadSize: 256 * 1024,
  maxChildNodes: 500,
};

export type PartOctets = { readonly part: PartHead; readonly octets: Buffer | undefined };

/**
 * Every part, once without octets and then with each piece of them, decoded from their transfer encoding. Ends early
 * where there are more parts than anybody sends.
 */
export async function* readParts(source: AsyncIterable<Buffer>): AsyncGenerator<PartOctets> {
  // Loaded with the first message that somebody looks at.
  const { Splitter } = await import('@zone-eu/mailsplit');
  const from = Readable.from(source);
  const splitter = new Splitter(limits);
  from.once('error', (error) => splitter.destroy(error));
  from.pipe(splitter);
  let part: PartHead | undefined;
  let decoder = decoderOf(undefined);
  let count = 0;
  try {
    for await (const chunk of splitter as AsyncIterable<SplitterChunk>) {
      if (chunk.type === 'node') {
        if (part) yield* rest(part, decoder);
        part = chunk.multipart ? undefined : headOf(chunk, count++);
        decoder = decoderOf(chunk);
        if (part) yield { part, octets: undefined };
      } else if (chunk.type === 'body' && part && chunk.value) {
        decoder.write(chunk.value);
        for (const octets of decoder.take()) yield { part, octets };
      }
    }
    if (part) yield* rest(part, decoder);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EMAXLEN') throw error;
  } finally {
    from.destroy();
  }
}

async function* rest(part: PartHead, decoder: ReturnType<typeof decoderOf>): AsyncGenerator<PartOctets> {
  await decoder.end();
  for (const octets of decoder.take()) yield { part, octets };
}

function headOf(node: MimeNode, ordinal: number): PartHead {
  const contentType = node.contentType || 'application/octet-stream';
  const named = node.filename || undefined;
  const contentId = node.headers ? node.headers.getFirst('content-id').trim() : '';
  return {
    ordinal,
    contentType,
    charset: node.charset || 'utf-8',
    isText:
      (contentType === 'text/plain' || contentType === 'text/html') &&
      node.disposition !== 'attachment' &&
      (named === undefined || node.root),
    filename: named?.replaceAll(/[\p{Cc}/\\]+/gu, '_').slice(0, 255),
    contentId: contentId.replace(/^<|>$/g, '') || undefined,
  };
}

/** The library's decoders are streams; what they give is kept until it is taken, which is after every piece. */
function decoderOf(node: MimeNode | undefined) {
  const stream: Transform | undefined = node?.getDecoder();
  let decoded: Buffer[] = [];
  stream?.on('data', (piece: Buffer) => decoded.push(piece));
  return {
    write: (octets: Buffer) => stream?.write(octets),
    take(): Buffer[] {
      const taken = decoded;
      decoded = [];
      return taken;
    },
    end: () =>
      new Promise<void>((resolve, reject) => {
        if (!stream) return resolve();
        stream.once('end', resolve).once('error', reject).end();
      }),
  };
}
