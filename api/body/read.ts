// Reads the body of a request: JSON, or text. Memory is asked for before more than the beginning is read, whether the client
// says how long the body is or not; what cannot be had in time is answered with 503, and the client tries again.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Budget } from '../../deploy/budget.ts';
import { takeTurn } from '../../deploy/turn.ts';
import { Problem } from '../problem.ts';
import { mostDepth, mostValues, openScan, type Scan, type Takes } from './scan.ts';

export type BodyLimits = {
  /** Octets, after decompression. */
  readonly limit: number;
  readonly takes: Takes;
};

export type ReadBody = Disposable & { readonly value: unknown };

/** Read without asking for memory: most bodies are smaller. */
const smallBytes = 64 * 1024;
/** Octets of a body without its attachments. */
const mostTextBytes = 16 * 1024 * 1024;
/** A body is in memory as it came, as text, as values, as the statement that stores it and as pg's copy of that. */
export const copiesOfBody = 5;

const patienceMs = 30_000;
const longestLine = 200;
// While others wait, whoever has memory and sends slower than this is cut off.
const graceMs = 5_000;
const slowestPerSecond = 256 * 1024;
// Whoever sends nothing at all for so long is cut off even when nobody waits.
const silenceMs = 15_000;

/** @throws {Problem} when the body is none, too large, or comes too slowly, or when there is no memory for it now. */
export function readBody(
  request: IncomingMessage,
  { limit, takes }: BodyLimits,
  budget: Budget,
): Promise<ReadBody> {
  const scan = openScan(takes);
  return receive(request, limit, budget, {
    read(chunk) {
      refuseBy(scan.read(chunk));
      if (scan.textBytes > mostTextBytes) throw tooMuchText();
    },
    end: () => parse(scan),
  });
}

/** The same of a body that is text. */
export function readText(request: IncomingMessage, limit: number, budget: Budget): Promise<ReadBody> {
  const chunks: Buffer[] = [];
  return receive(request, limit, budget, {
    read: (chunk) => chunks.push(chunk),
    async end() {
      const octets = Buffer.concat(chunks);
      if (!isUtf8(octets)) throw new Problem('malformed-request', 'The body is not in UTF-8.');
      return octets.toString('utf8').replace(/^\ufeff/, '');
    },
  });
}

type Reading = { read(chunk: Buffer): void; end(): Promise<unknown> };

async function receive(
  request: IncomingMessage,
  limit: number,
  budget: Budget,
  reading: Reading,
): Promise<ReadBody> {
  const declared = Number(request.headers['content-length'] ?? Number.NaN);
  if (declared > limit) throw tooLarge(limit);
  const stream = inflated(request);
  const chunks = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  let received = 0;
  let hold: Disposable | undefined;
  let since = 0;

  try {
    for (;;) {
      const { done, value: chunk } = await within(chunks.next(), silenceMs);
      if (done) break;
      received += chunk.length;
      if (received > limit) throw tooLarge(limit);
      reading.read(chunk);
      if (!hold && received > smallBytes) {
        hold = await reserve(budget, stream === request && declared > 0 ? declared : limit);
        since = performance.now();
      } else if (hold && budget.waiting > 0) expectPace(received, performance.now() - since);
    }
    return { value: await reading.end(), [Symbol.dispose]: () => hold?.[Symbol.dispose]() };
  } catch (error) {
    hold?.[Symbol.dispose]();
    // What still comes is thrown away, so that the client hears the answer.
    request.unpipe();
    void chunks.return?.().then(() => request.resume());
    throw error instanceof Problem ? error : asProblem(error, request);
  }
}

function inflated(request: IncomingMessage): Readable {
  const encoding = String(request.headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding === 'identity') return request;
  const open = inflaters[encoding];
  if (!open) throw unsupported();
  const stream = open();
  request.once('aborted', () => stream.destroy(new Error('aborted')));
  return request.pipe(stream);
}

const inflaters: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: createGunzip as () => NodeJS.ReadWriteStream & Readable,
  deflate: createInflate as () => NodeJS.ReadWriteStream & Readable,
  br: createBrotliDecompress as () => NodeJS.ReadWriteStream & Readable,
};

async function reserve(budget: Budget, bytes: number): Promise<Disposable> {
  const hold =
    budget.waiting < longestLine
      ? await budget.reserve(Math.min(budget.total, bytes * copiesOfBody), patienceMs)
      : undefined;
  if (hold) return hold;
  throw new Problem('busy', 'Too many large requests at once. Nothing of this request was stored.', {
    headers: { 'retry-after': '5', connection: 'close' },
  });
}

/** Rejects when nothing comes for too long. */
async function within<T>(next: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const alarm = setTimeout(() => late.reject(tooSlow()), ms);
  try {
    return await Promise.race([next, late.promise]);
  } finally {
    clearTimeout(alarm);
    next.catch(() => {});
  }
}

function expectPace(received: number, ms: number): void {
  if (ms > graceMs && received < (ms / 1000) * slowestPerSecond) throw tooSlow();
}

const tooSlow = () =>
  new Problem('request-timeout', 'The body arrived too slowly, and other requests are waiting.', {
    headers: { connection: 'close' },
  });

const tooLarge = (limit: number) =>
  new Problem('body-too-large', `The body may hold at most ${limit} bytes.`, {
    members: { limit },
    headers: { connection: 'close' },
  });

const tooMuchText = () =>
  new Problem('body-too-large', `Without attachments, the body may hold at most ${mostTextBytes} bytes.`, {
    members: { limit: mostTextBytes },
    headers: { connection: 'close' },
  });

const unsupported = () =>
  new Problem('unsupported-media-type', 'Send the body in UTF-8, uncompressed or with gzip, deflate or br.');

function refuseBy(verdict: ReturnType<Scan['read']>): void {
  if (verdict === undefined) return;
  const detail =
    verdict === 'too-deep'
      ? `must be nested at most ${mostDepth} deep`
      : `must hold at most ${mostValues} values`;
  throw new Problem('invalid-fields', `The body ${detail}.`, {
    errors: [{ in: 'body', pointer: '#', detail }],
  });
}

/** In steps: each takes some 50 ms where the body is as large or as crowded as it may be. */
async function parse(scan: Scan): Promise<unknown> {
  await takeTurn();
  const { text: octets, files } = scan.end();
  if (octets.length === 0) return {};
  if (!isUtf8(octets))
    throw new Problem('malformed-json', 'The body cannot be read as JSON: it is not UTF-8.');
  const text = octets.toString('utf8').replace(/^\ufeff/, '');
  await takeTurn();
  const value = parseText(text);
  await takeTurn();
  return files.size > 0 ? withFiles(value, files) : value;
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem(
      'malformed-json',
      `The body cannot be read as JSON: ${withoutContent((error as Error).message)}.`,
    );
  }
}

/** Puts the files back where their placeholders stand. */
function withFiles(value: unknown, files: ReadonlyMap<string, Buffer>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const holder = value as Record<string, unknown>;
  for (const [name, inner] of Object.entries(holder)) {
    const file = typeof inner === 'string' ? files.get(inner) : undefined;
    if (file) holder[name] = file;
    else withFiles(inner, files);
  }
  return value;
}

/** The parser's message quotes the body, which may hold anything; where it stumbled is enough. */
function withoutContent(message: string): string {
  const position = /at position \d+(?: \(line \d+ column \d+\))?/.exec(message)?.[0];
  return position ? `the error is ${position}` : 'it is incomplete or not JSON';
}

function asProblem(error: unknown, request: IncomingMessage): unknown {
  const { code = '' } = error as { code?: string };
  if (code.startsWith('Z_') || code.startsWith('ERR__ERROR_FORMAT') || code.startsWith('ERR_PADDING'))
    return new Problem('malformed-request', 'The body is not in its Content-Encoding.');
  if (request.destroyed || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new Problem('malformed-request', 'The body ended too early.');
  return error;
}
