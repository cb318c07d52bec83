// What the API needs to get mail on its way: who it is from, and the hand-over right after a commit.
import { setTimeout as pause } from 'node:timers/promises';
import { type Budget, openBudget } from '../deploy/budget.ts';
import type { Database, Queryable } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import { traceIdOf } from '../deploy/trace.ts';
import type { Address } from '../relay/client/email/email.ts';
import type { InsertedEmail } from '../relay/client/email/insert.ts';
import { claimDueEmails } from '../relay/client/outbox/claim.ts';
import type { HandOver } from '../relay/client/outbox/hand-over.ts';
import { handOverClaimed, handOverNow } from '../relay/client/outbox/hand-over-email.ts';
import { type EmailStatus, emailStatus, isAway } from '../relay/client/status/heartbeat.ts';
import type { Status } from '../relay/client/vocabulary.ts';
import type { Unsubscribe } from './unsubscribe/unsubscribe.ts';

// Long enough for a busy relay, short enough for the person who waits for our answer.
const handOverTimeoutMs = 2_000;

/** For mail that is read while it is sent; what does not fit is left to the worker. */
export const handOverBytes = 16 * 1024 * 1024;

// As many as can be composed and handed over well within their lease.
const dueBatch = 100;
const dueBudgetMs = 20_000;

// The relay says every few seconds what it found; nothing is older than that anyway.
const senderLastsMs = 5_000;

// The default of RELAY_MAX_MESSAGE_SIZE.
const usualMaxMessageSize = 26_214_400;

export type Sending = {
  /**
   * The default From; undefined while nobody knows one. The mail is then kept as `held`.
   *
   * @param q whoever is in a transaction asks in that one: if every connection had a transaction that waits for
   *   another connection, none would ever go on
   */
  sender(q: Queryable): Promise<Address | undefined>;
  /** What the relay takes. `allowedSenders` is undefined while no relay has said which; it then decides itself. */
  limits(q: Queryable): Promise<{ allowedSenders: readonly string[] | undefined; maxMessageSize: number }>;
  /**
   * Hands committed mail to the relay, waiting at most two seconds, and tells its status then; undefined when
   * that cannot be read. Never throws: what could not be handed over is found by the worker.
   */
  handOver(email: InsertedEmail | string): Promise<Status | undefined>;
  readonly unsubscribe: Unsubscribe;
  /** Hands over what is due, for at most 20 seconds. Never throws. */
  handOverDue(): Promise<DueOutcome>;
};

export type DueOutcome = { handed_over: number; refused: number; put_off: number; more: boolean };

/** @param from SMTP_FROM_EMAIL of this process; the relay's own is asked for when it is missing. */
export function openSending({
  database,
  handOver,
  budget = openBudget(handOverBytes),
  from,
  unsubscribe,
  log,
}: {
  database: Database;
  handOver: HandOver;
  /** For mail on its way to the relay. Not the one for bodies: who holds a body must not wait for another. */
  budget?: Budget;
  from: Address | undefined;
  unsubscribe: Unsubscribe;
  log: Log;
}): Sending {
  const deps = { database, handOver, budget, log };
  const status = cachedStatus();

  /** Whether the relay queues what it accepts; otherwise it holds or captures it, and only the row tells. */
  async function delivers(): Promise<boolean> {
    const { configured, relay, report } = await status(database);
    return configured && !isAway(relay) && report?.delivery_mode === 'deliver';
  }

  return {
    unsubscribe,
    async sender(q) {
      if (from) return from;
      const { report: relay } = await status(q);
      if (!relay?.from) return undefined;
      return { address: relay.from, ...(relay.from_name && { name: relay.from_name }) };
    },
    async limits(q) {
      const { report } = await status(q);
      return {
        allowedSenders: report?.allowed_senders,
        maxMessageSize: report?.limits.max_message_size ?? usualMaxMessageSize,
      };
    },
    async handOver(email) {
      const id = typeof email === 'string' ? email : email.id;
      const claim = typeof email === 'string' ? email : email.claim;
      try {
        const result = claim
          ? await resultWithin(handOverTimeoutMs, handOverNow(deps, claim, handOverTimeoutMs))
          : undefined;
        return result?.outcome === 'accepted' && (await delivers())
          ? 'queued'
          : await readStatus(database, id);
      } catch (error) {
        const traceId = typeof claim === 'object' ? traceIdOf(claim.traceparent) : undefined;
        log.warn({ err: error, emailId: id, traceId }, 'Hand-over left to the worker');
        return undefined;
      }
    },
    handOverDue: () => handOverDue(deps),
  };
}

type HandOverDeps = Parameters<typeof handOverNow>[0];

/** Hands over what is due, batch by batch, until it is done or the time is up. */
async function handOverDue(deps: HandOverDeps): Promise<DueOutcome> {
  const outcome = { handed_over: 0, refused: 0, put_off: 0, more: false };
  const deadline = performance.now() + dueBudgetMs;
  try {
    do {
      const claimed = await claimDueEmails(deps.database, { limit: dueBatch });
      const results = await Promise.all(claimed.map((email) => handOverClaimed(deps, email)));
      for (const result of results) {
        if (result?.outcome === 'accepted') outcome.handed_over++;
        else if (result?.outcome === 'refused') outcome.refused++;
        else outcome.put_off++;
      }
      outcome.more = claimed.length === dueBatch;
    } while (outcome.more && performance.now() < deadline);
  } catch (error) {
    deps.log.warn({ err: error }, 'Hand-over of due emails stopped early');
    outcome.more = true;
  }
  return outcome;
}

/** What the relay said of itself, asked again when it is older than a few seconds. */
function cachedStatus(): (q: Queryable) => Promise<EmailStatus> {
  let known: { at: number; status: Promise<EmailStatus> } | undefined;
  return (q) => {
    if (!known || performance.now() - known.at > senderLastsMs) {
      known = { at: performance.now(), status: emailStatus(q) };
      // A failure is not remembered: the next request asks again.
      known.status.catch(() => {
        known = undefined;
      });
    }
    return known.status;
  };
}

/** A large mail may take longer than the caller waits: it goes on, and its row tells. */
async function resultWithin<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  try {
    const timeout = pause(ms, undefined, { signal: over.signal, ref: false });
    return await Promise.race([work, timeout.catch(() => undefined)]);
  } finally {
    over.abort();
  }
}

async function readStatus(database: Database, emailId: string): Promise<Status | undefined> {
  const { rows } = await database.query<{ status: Status }>({
    name: 'email-status',
    text: 'select status from email where id = $1',
    values: [emailId],
  });
  return rows[0]?.status;
}
