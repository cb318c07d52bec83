// Handing over one claimed email: composed, given to the relay, and its result written on the row.
import type { Budget } from '../../../deploy/budget.ts';
import { type Database, isUnavailable } from '../../../deploy/database.ts';
import type { Log } from '../../../deploy/log.ts';
import { endFailed, type Span, startSpan, traceIdOf } from '../../../deploy/trace.ts';
import { takeTurn } from '../../../deploy/turn.ts';
import { composeMessage, envelopeOf, layOutMessage } from '../compose/compose.ts';
import { openAttachments, pieceBytes, readAttachments } from '../email/attachment.ts';
import { bytesOf, type ClaimedEmail } from '../email/claimed.ts';
import { claimEmail, handBack, renewAndRead, smallBytes } from './claim.ts';
import type { HandOver } from './hand-over.ts';
import type { Parcel } from './parcel.ts';
import { recordHandOver } from './record.ts';
import type { HandOverResult } from './relay-reply.ts';

/** What handing over needs: the way to the relay and the row to write the result on. */
export type HandOverDeps = {
  readonly database: Database;
  readonly handOver: HandOver;
  /** What mail that is not small holds of memory while it is handed over. */
  readonly budget: Budget;
  readonly log: Log;
};

/** The budget lets any mail through that can be asked for: alone, if need be. */
export const largestHandOver = 64 * 1024 * 1024;

/**
 * What a mail holds: its texts as they were read, as a string and encoded; of each attachment the piece that is being
 * read, encoded and sent.
 */
const heldBytes = ({ textBytes, attachedBytes }: ClaimedEmail) =>
  4 * textBytes + Math.min(6 * attachedBytes, 8 * pieceBytes);

/**
 * Composes a claimed email, hands it over and records what came of it. Undefined when it was left to somebody else:
 * its lease was lost, or there was no memory for it. Never throws: whatever goes wrong, the email stays in the outbox
 * and its lease runs out.
 */
export async function handOverClaimed(
  deps: HandOverDeps,
  email: ClaimedEmail,
  timeoutMs?: number,
): Promise<HandOverResult | undefined> {
  const { database, log } = deps;
  const traceId = traceIdOf(email.traceparent);
  const span = startSpan('hand-over', email.traceparent);
  span?.setAttribute('postern.email_id', email.id);
  try {
    const result =
      bytesOf(email) <= smallBytes
        ? await handOverSmall(deps, email, timeoutMs)
        : await handOverLarge(deps, email, timeoutMs);
    if (!result) {
      span?.end();
      return undefined;
    }
    await recordHandOver(database, email, result);
    if (result.outcome === 'refused') {
      log.warn(
        { event: 'held', emailId: email.id, traceId, code: result.code, enhanced: result.enhanced },
        'The relay refused an email',
      );
    }
    if (span) endHandOver(span, result);
    return result;
  } catch (error) {
    if (span) endFailed(span, (error as Error).message);
    if (!isUnavailable(error))
      log.error({ err: error, emailId: email.id, traceId }, 'Hand-over of an email failed');
    return { outcome: 'away', why: 'this hand-over failed; the log says why' };
  }
}

async function handOverSmall(
  { database, handOver }: HandOverDeps,
  email: ClaimedEmail,
  timeoutMs?: number,
): Promise<HandOverResult> {
  const attachments = email.hasAttachments ? await readAttachments(database, email.id) : [];
  // The mails of a batch all begin in one moment.
  await takeTurn();
  const bytes = await composeMessage(email, attachments);
  return handOver.handOver({ ...addressed(email), bytes }, { timeoutMs });
}

/** Reads it while it is sent, once there is memory for that. Its lease begins then, and lasts as long as it may take. */
async function handOverLarge(
  { database, handOver, budget }: HandOverDeps,
  email: ClaimedEmail,
  timeoutMs?: number,
): Promise<HandOverResult | undefined> {
  using hold = await budget.reserve(Math.min(heldBytes(email), budget.total), memoryPatienceMs);
  if (!hold) {
    await handBack(database, [email], memoryPatienceMs / 4);
    return undefined;
  }
  const texts = await renewAndRead(database, email);
  if (!texts) return undefined;
  const bytes = layOutMessage({ ...email, ...texts }, await openAttachments(database, email.id));
  return handOver.handOver({ ...addressed(email), bytes }, { timeoutMs });
}

const addressed = (email: ClaimedEmail): Pick<Parcel, 'id' | 'token' | 'envelope'> => ({
  id: email.id,
  token: email.token,
  envelope: envelopeOf(email),
});

/** Much shorter than a lease, and than a request waits. */
const memoryPatienceMs = 2_000;

function endHandOver(span: Span, result: HandOverResult): void {
  if (result.outcome === 'accepted') span.setAttribute('postern.queue_id', result.queueId);
  if (result.outcome === 'accepted') span.end();
  else endFailed(span, result.outcome === 'refused' ? result.reply : result.why);
}

/**
 * Hands over one email right after the commit that created it, waiting at most `timeoutMs`. Takes the claim that
 * `insertEmail` returned, or the id of an email that may be due. Undefined means that there was nothing to hand
 * over (not due, paused, held, or another process is at it). Never throws.
 */
export async function handOverNow(
  deps: HandOverDeps,
  email: ClaimedEmail | string,
  timeoutMs: number,
): Promise<HandOverResult | undefined> {
  try {
    const claimed = typeof email === 'string' ? await claimEmail(deps.database, email) : email;
    return claimed && (await handOverClaimed(deps, claimed, timeoutMs));
  } catch (error) {
    if (!isUnavailable(error)) deps.log.error({ err: error }, 'Email could not be claimed for its hand-over');
    return undefined;
  }
}
