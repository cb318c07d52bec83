// Reading one message after DATA: checked octet by octet, its header judged as soon as it is complete, and a large body
// stored while it arrives, so that memory holds one part of it and never all.
import { createHash, hash } from 'node:crypto';
import type { SMTPServerDataStream } from 'smtp-server';
import type { Budget } from '../../deploy/budget.ts';
import type { Queryable } from '../../deploy/database.ts';
import { type Admission, type AdmissionQuestion, admit } from './admission.ts';
import { checkLines } from './lines.ts';
import { openPace } from './pace.ts';
import { openParts, partBytes } from './parts.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Read without asking for memory: most mail is smaller, and the number of sessions is limited. */
const smallBytes = 32_768;
const watchEveryMs = 1_000;
/** What a larger message holds at most: what it gathers for a part, the part being written, and pg's copy of it. */
const windowBytes = 3 * partBytes;

export type Received = {
  readonly admission: Admission;
  /** The only part, or undefined when all parts are stored. */
  readonly content: Buffer | undefined;
  /** Octets to be sent on. */
  readonly size: number;
  readonly eightBit: boolean;
  /** Of the octets as they came, and of what `digestOf` begins with. */
  readonly digest: Buffer;
  /** Takes back what is stored, when the message is not accepted after all. */
  discard(): Promise<void>;
  /** Gives the memory back. */
  [Symbol.dispose](): void;
};

export type Reception = {
  readonly stream: SMTPServerDataStream;
  readonly queueId: string;
  readonly database: Queryable;
  readonly budget: Budget;
  readonly question: Omit<AdmissionQuestion, 'bytes' | 'ended'>;
  /** Our Received field, and with it the beginning of what is sent on. */
  readonly trace: (admission: Admission) => string;
  /** What makes two messages the same besides their octets. */
  readonly digestOf: string;
  /** How long a large message may take, in ms: parts that nobody claims are swept after an hour. */
  readonly longestMs: number;
};

/**
 * Reads the message to its end, whatever is wrong with it: a client hears replies only after its final dot. Rejects
 * when the client goes away or the database does; whatever was stored is removed then.
 *
 * Long because each step decides with what the ones before it have found, and all of them give back what they hold.
 */
export async function receive(reception: Reception): Promise<Received | Refusal> {
  const { stream, queueId, database, budget, question, trace, digestOf, longestMs } = reception;
  const lines = checkLines();
  const first = await readSmall(stream);
  if (first.ended) {
    if (stream.sizeExceeded) return tooBig;
    if (!lines.read(first.bytes)) return lines.refusal as Refusal;
    const admission = admit({ ...question, bytes: first.bytes, ended: true });
    if ('code' in admission) return admission;
    const content = Buffer.concat([beginningOf(admission), ...admission.kept]);
    return {
      admission,
      content,
      size: content.length,
      eightBit: lines.eightBit,
      // In one go, which costs half of what an object for it does.
      digest: hash('sha256', Buffer.concat([Buffer.from(digestOf), first.bytes]), 'buffer'),
      async discard() {},
      [Symbol.dispose]() {},
    };
  }

  const digest = createHash('sha256').update(digestOf);
  // Disposed of twice, it gives back once.
  const hold = new DisposableStack();
  hold.use(await budget.reserve(windowBytes));
  const parts = openParts(database, queueId);
  try {
    const outcome = await readLarge(first.bytes);
    if ('code' in outcome) {
      await parts.discard();
      hold[Symbol.dispose]();
      return outcome;
    }
    return {
      admission: outcome,
      content: await parts.finish(),
      size: parts.size,
      eightBit: lines.eightBit,
      digest: digest.digest(),
      discard: parts.discard,
      [Symbol.dispose]: () => hold[Symbol.dispose](),
    };
  } catch (error) {
    hold[Symbol.dispose]();
    // What is left behind has no row that claims it, and housekeeping removes it.
    await parts.discard().catch(() => {});
    throw error;
  }

  async function readLarge(begin: Buffer): Promise<Admission | Refusal> {
    let head: Buffer = begin;
    let outcome: Admission | Refusal | undefined = lines.read(begin) ? judge(false) : lines.refusal;
    digest.update(begin);
    await storeHead();
    const lateAt = performance.now() + longestMs;
    const pace = openPace();
    const watch = setInterval(() => {
      if (budget.waiting === 0 || !pace.isTooSlow() || (outcome && 'code' in outcome)) return;
      outcome = tooSlow;
      // The final dot is still to be heard, with its answer; it needs no memory.
      hold[Symbol.dispose]();
      void parts.discard().catch(() => {});
    }, watchEveryMs);
    using _ = { [Symbol.dispose]: () => clearInterval(watch) };

    // Never left early: that would destroy the stream under the library's feet.
    for await (const chunk of pace.measure(stream as AsyncIterable<Buffer>)) {
      if (outcome && 'code' in outcome) continue;
      digest.update(chunk);
      if (stream.sizeExceeded) outcome = tooBig;
      else if (performance.now() > lateAt) outcome = tooSlow;
      else if (!lines.read(chunk)) outcome = lines.refusal;
      else if (outcome) await parts.append(chunk);
      else {
        head = Buffer.concat([head, chunk]);
        outcome = judge(false);
        await storeHead();
      }
    }
    if (outcome) return outcome;
    outcome = judge(true);
    await storeHead();
    return outcome;

    function judge(ended: true): Admission | Refusal;
    function judge(ended: boolean): Admission | Refusal | undefined;
    function judge(ended: boolean): Admission | Refusal | undefined {
      return admit({ ...question, bytes: head, ended });
    }

    async function storeHead(): Promise<void> {
      if (!outcome || 'code' in outcome) return;
      await parts.append(beginningOf(outcome));
      for (const kept of outcome.kept) await parts.append(kept);
    }
  }

  function beginningOf(admission: Admission): Buffer {
    return Buffer.from(trace(admission) + admission.added, 'utf8');
  }
}

const tooSlow = refuse(451, '4.4.2', 'The message took too long to arrive, try again');
const tooBig = refuse(552, '5.3.4', 'The message is larger than RELAY_MAX_MESSAGE_SIZE');

/** All of the message when it is small, or its beginning, with the stream paused behind it. */
function readSmall(stream: SMTPServerDataStream): Promise<{ bytes: Buffer; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= smallBytes) return;
      stream.pause();
      settle(false);
    };
    const onEnd = () => settle(true);
    const onGone = (error?: Error) => {
      forget();
      reject(error ?? Object.assign(new Error('The client went away'), { code: 'ECONNECTION' }));
    };
    const forget = () => {
      stream.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
    };
    const settle = (ended: boolean) => {
      forget();
      resolve({ bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length), ended });
    };
    stream.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}
