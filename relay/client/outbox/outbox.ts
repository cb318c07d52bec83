// The outbox: emails that wait for their time or for the relay. The row is the fence and the lease: whoever hands
// over first pushes `next_hand_over_at` into the future, so that nobody else tries meanwhile. Only the database's
// clock decides what is due.
import type { Budget } from '../../../deploy/budget.ts';
import { type Database, isUnavailable, type Queryable } from '../../../deploy/database.ts';
import type { Log } from '../../../deploy/log.ts';
import { endFailed, type Span, startSpan, traceIdOf } from '../../../deploy/trace.ts';
import { takeTurn } from '../../../deploy/turn.ts';
import { composeMessage, envelopeOf, layOutMessage } from '../compose/compose.ts';
import { openAttachments, pieceBytes, readAttachments } from '../email/attachment.ts';
import type { ClaimedEmail } from '../email/claimed.ts';
import type { EmailContent } from '../email/email.ts';
import { type EmailRow, toContent } from '../email/row.ts';
import { type HandOver, type HandOverResult, msToCarry, type Parcel } from './hand-over.ts';

type ClaimedRow = Pick<
  EmailRow,
  | 'id'
  | 'from_address'
  | 'from_name'
  | 'reply_to'
  | 'recipients'
  | 'subject'
  | 'text_body'
  | 'html_body'
  | 'headers'
  | 'message_id'
  | 'due_at'
  | 'traceparent'
> & {
  token: Buffer;
  hand_over_attempts: number;
  overdue_ms: number;
  has_attachments: boolean;
  text_bytes: number;
  attached_bytes: number;
};

/** Octets of text and attachments of mail that is composed without asking for memory: most mail is smaller. */
const smallBytes = 65_536;

const textBytes = 'coalesce(octet_length(e.text_body), 0) + coalesce(octet_length(e.html_body), 0)';
const unlessMany = (column: string) =>
  `case when ${textBytes} <= ${smallBytes} then e.${column} end as ${column}`;

const claimedColumns = `
  e.id, e.token, e.hand_over_attempts, extract(epoch from now() - e.due_at)::float8 * 1000 as overdue_ms, e.from_address, e.from_name, e.reply_to, e.recipients, e.subject,
  ${unlessMany('text_body')}, ${unlessMany('html_body')}, ${textBytes} as text_bytes, e.headers, e.message_id, e.due_at, e.traceparent,
  exists (select from email_attachment a where a.email_id = e.id) as has_attachments,
  (select coalesce(sum(octet_length(a.content)), 0)::float8 from email_attachment a where a.email_id = e.id) as attached_bytes`;

/**
 * While the mail of a restored backup is being held (relay/delivery/queue/restored.ts), nobody hands over what was due when
 * it was restored: it may have been sent since the backup was taken.
 */
const isNotRestored = (email: string) => `(
  ${email}.due_at > (select coalesce(max(restored_at), '-infinity') from database_identity)
  or ${email}.id > (select restored_up_to_email from database_identity))`;

/** Longer than a hand-over takes, short enough that the mail of a killed worker soon moves on. */
export const defaultLeaseSeconds = 20;

/**
 * Leases up to `limit` emails that are due, the longest waiting first, for `leaseSeconds`. What is later than its
 * max_lateness becomes `expired` instead. Any number of processes may claim at the same time.
 */
export async function claimDue(
  q: Queryable,
  { limit, leaseSeconds = defaultLeaseSeconds }: { limit: number; leaseSeconds?: number },
): Promise<ClaimedEmail[]> {
  const { rows } = await q.query<ClaimedRow>({
    name: 'claim-due',
    text: `
      with due as (
        select id, coalesce(due_at + max_lateness < now(), false) as too_late
        from email
        where status = 'pending' and not paused and next_hand_over_at <= now() and ${isNotRestored('email')}
        order by next_hand_over_at
        limit $1
        for no key update skip locked
      ), claimed as (
        update email e set
          status = case when too_late then 'expired' else e.status end,
          reason = case when too_late then 'too-late' else e.reason end,
          reason_detail = case when too_late
            then 'It could not be handed over within ' || e.max_lateness || ' after its due time.'
            else e.reason_detail end,
          finished_at = case when too_late then now() end,
          next_hand_over_at = case when too_late then null else now() + make_interval(secs => $2) end,
          hand_over_attempts = e.hand_over_attempts + case when too_late then 0 else 1 end,
          updated_at = case when too_late then now() else e.updated_at end
        from due where e.id = due.id
        returning e.*
      ), told as (
        insert into event (type, email_id, detail)
        select 'expired', id, json_build_object('cause', reason, 'dueAt', due_at) from claimed where status = 'expired'
      )
      select ${claimedColumns} from claimed e where status = 'pending' order by due_at, id`,
    values: [limit, leaseSeconds],
  });
  return rows.map(toClaimed);
}

/**
 * Leases one email for a hand-over right now, if it is due and nobody else is at it. Undefined when there is
 * nothing to do.
 */
async function claimOne(q: Queryable, id: string): Promise<ClaimedEmail | undefined> {
  const { rows } = await q.query<ClaimedRow>(
    `update email e set
       next_hand_over_at = now() + make_interval(secs => $2), hand_over_attempts = hand_over_attempts + 1
     where id = $1 and status = 'pending' and not paused
       and next_hand_over_at <= now() and coalesce(due_at + max_lateness >= now(), true)
       and ${isNotRestored('e')}
     returning ${claimedColumns}`,
    [id, defaultLeaseSeconds],
  );
  return rows[0] && toClaimed(rows[0]);
}

const toClaimed = (row: ClaimedRow): ClaimedEmail => ({
  ...toContent(row),
  id: row.id,
  token: row.token,
  attempts: row.hand_over_attempts,
  overdueMs: row.overdue_ms,
  hasAttachments: row.has_attachments,
  textBytes: row.text_bytes,
  attachedBytes: row.attached_bytes,
  traceparent: row.traceparent,
});

/**
 * Ends the lease of emails that were claimed but not tried, so that another process takes them at once, or in
 * `inMs`. A lease that ran out and is somebody else's by now is left alone.
 */
export async function handBack(
  q: Queryable,
  emails: readonly Pick<ClaimedEmail, 'id' | 'attempts'>[],
  inMs = 0,
): Promise<void> {
  await q.query(
    `update email e set next_hand_over_at = now() + make_interval(secs => $3::float8 / 1000), hand_over_attempts = e.hand_over_attempts - 1
     from unnest($1::uuid[], $2::integer[]) as claimed (id, attempts)
     where e.id = claimed.id and e.hand_over_attempts = claimed.attempts and e.status = 'pending'`,
    [emails.map(({ id }) => id), emails.map(({ attempts }) => attempts), inMs],
  );
}

/**
 * Milliseconds until the next email may be handed over, by the database's clock; zero or less when one is due now,
 * undefined when none waits.
 */
export async function nextDueInMs(q: Queryable): Promise<number | undefined> {
  const { rows } = await q.query<{ ms: number | null }>({
    name: 'next-due',
    text: `select extract(epoch from min(next_hand_over_at) - clock_timestamp())::float8 * 1000 as ms
           from email where status = 'pending' and not paused`,
  });
  return rows[0]?.ms ?? undefined;
}

/** How many emails wait for their time, are due now, or are paused. */
export async function countOutbox(q: Queryable): Promise<{ scheduled: number; due: number; paused: number }> {
  const { rows } = await q.query<{ scheduled: number; due: number; paused: number }>(
    `select count(*) filter (where not paused and due_at > now()) as scheduled,
            count(*) filter (where not paused and due_at <= now()) as due,
            count(*) filter (where paused) as paused
     from email where status = 'pending'`,
  );
  return rows[0] ?? { scheduled: 0, due: 0, paused: 0 };
}

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

export const bytesOf = ({ textBytes, attachedBytes }: ClaimedEmail): number => textBytes + attachedBytes;

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
        'The relay refused a mail',
      );
    }
    if (span) endHandOver(span, result);
    return result;
  } catch (error) {
    if (span) endFailed(span, (error as Error).message);
    if (!isUnavailable(error))
      log.error({ err: error, emailId: email.id, traceId }, 'A mail could not be handed over');
    return { outcome: 'away', why: 'this hand-over failed on our side; the log says why' };
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

/** Undefined when the lease ran out and the mail is somebody else's, was changed, or is gone. */
async function renewAndRead(
  q: Queryable,
  email: ClaimedEmail,
): Promise<Pick<EmailContent, 'text' | 'html'> | undefined> {
  const { rows } = await q.query<{ text: string | null; html: string | null }>({
    name: 'renew-and-read',
    text: `update email set next_hand_over_at = now() + make_interval(secs => $4)
           where id = $1 and token = $2 and hand_over_attempts = $3 and status = 'pending'
           returning text_body as text, html_body as html`,
    values: [
      email.id,
      email.token,
      email.attempts,
      defaultLeaseSeconds + msToCarry(2 * bytesOf(email)) / 1000,
    ],
  });
  return rows[0];
}

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
    const claimed = typeof email === 'string' ? await claimOne(deps.database, email) : email;
    return claimed && (await handOverClaimed(deps, claimed, timeoutMs));
  } catch (error) {
    if (!isUnavailable(error))
      deps.log.error({ err: error }, 'A mail could not be claimed for its hand-over');
    return undefined;
  }
}

/**
 * Writes down what the relay answered. Accepted: nothing, the relay wrote it in its own transaction. Refused: the
 * email is held with the relay's words. Away: it is tried again soon; the timeline says so once for each reason.
 * An answer about an older version of the email, whose token was another one, counts for nothing.
 */
export async function recordHandOver(
  q: Queryable,
  { id, token }: Pick<ClaimedEmail, 'id' | 'token'>,
  result: HandOverResult,
): Promise<void> {
  if (result.outcome === 'refused') {
    const { code, enhanced, reply } = result;
    await q.query(
      `with held as (
         update email set
           status = 'held', reason = 'relay-refused', reason_detail = $3, next_hand_over_at = null, updated_at = now()
         where id = $1 and token = $2 and status = 'pending'
         returning id
       )
       insert into event (type, email_id, detail) select 'hand-over-refused', id, $4 from held`,
      [id, token, reply, JSON.stringify({ code, enhanced, reply })],
    );
  } else if (result.outcome === 'away') {
    // The relay is a neighbour: it is asked often, so that mail moves within seconds of its return.
    await q.query(
      `with before as (
         select id, reason_detail from email
         where id = $1 and token = $2 and status = 'pending' for no key update
       ), postponed as (
         update email e set
           next_hand_over_at = now() + make_interval(secs => least(5, 0.5 * 2 ^ least(e.hand_over_attempts, 10))),
           reason = 'relay-away', reason_detail = $3, updated_at = now()
         from before where e.id = before.id
       )
       insert into event (type, email_id, detail)
       select 'hand-over-failed', id, $4 from before where reason_detail is distinct from $3`,
      [id, token, result.why, JSON.stringify({ cause: 'relay-away', why: result.why })],
    );
  }
}
