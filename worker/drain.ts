// The scheduler: looks for due mail, sleeps exactly until the next is due, and hands over what it claims on a few reused
// sessions. Whoever asks for mail that is due sooner wakes it; what nobody tells is found by the next poll.
// Any number of workers do this at once; the email row is the fence between them.
import { setTimeout as pause } from 'node:timers/promises';
import { isUnavailable } from '../deploy/database.ts';
import { alwaysAwake, type Sleep } from '../deploy/sleep.ts';
import type { ClaimedEmail } from '../relay/client/email/claimed.ts';
import { bytesOf } from '../relay/client/email/claimed.ts';
import { claimDueEmails, defaultLeaseSeconds, handBack } from '../relay/client/outbox/claim.ts';
import { type HandOverDeps, handOverClaimed } from '../relay/client/outbox/hand-over-email.ts';
import { nextDueInMs } from '../relay/client/outbox/outbox.ts';
import type { HandOverResult } from '../relay/client/outbox/relay-reply.ts';

export type DrainReport = {
  /** Milliseconds since the last look that met no error; null before the first. */
  readonly lastSweepMsAgo: number | null;
  /** Emails the relay has taken from this process since its start. */
  readonly handedOver: number;
  /** Why the relay does not take mail at the moment. */
  readonly relayAway: string | null;
};

export type Drain = AsyncDisposable & {
  /** Looks now instead of at the next poll. Resolves when a look that began after the call is over. */
  wake(): Promise<void>;
  report(): DrainReport;
};

const batchSize = 200;
const handOverTimeoutMs = 10_000;
// A hand-over begins only while its lease outlasts it.
const beginWithinMs = defaultLeaseSeconds * 1000 - handOverTimeoutMs - 2_000;
const pauseWithoutDatabaseMs = 1_000;
// While the relay is away, or what is due is in the hands of another worker.
const pauseInVainMs = 1_000;
// After the last work the polls become rarer, and after so long they are as rare as they may be.
const restlessMs = 15_000;
const shortestPollMs = 200;
// Mail of more than so many octets is handedOver beside the other, a few at a time, and nothing waits behind it.
const largeBytes = 1024 * 1024;
const mostLarge = 8;
// What has no place yet comes back when those in front of it may be through.
const largeBytesPerMs = 100_000;
const soonMs = 500;

type Claim = { readonly email: ClaimedEmail; readonly at: number };

/**
 * Starts looking. Disposing waits for hand-overs that are under way and gives back what was claimed but not begun.
 *
 * Long because its small functions share what was claimed and what is under way.
 *
 * @param signal begins that end at once, whatever else of the process has to close before
 * @param concurrency how many emails are handed over at the same time
 */
export function startDrain(
  deps: HandOverDeps,
  {
    concurrency,
    pollIntervalMs,
    signal,
    answered = () => {},
    now = () => performance.now(),
    sleep: rest = alwaysAwake,
  }: {
    concurrency: number;
    pollIntervalMs: number;
    signal: AbortSignal;
    /** Told of every hand-over, and how long after its due time the relay answered. */
    answered?: (outcome: HandOverResult['outcome'], latenessMs: number) => void;
    /** Milliseconds of a clock that only goes forward. */
    now?: () => number;
    sleep?: Sleep;
  },
): Drain {
  const { database, log } = deps;
  const stopping = new AbortController();
  let alarm = new AbortController();
  let sleepers: (() => void)[] = [];
  let lastSweepAt: number | undefined;
  let handedOver = 0;
  let relayAway: string | null = null;
  let databaseAway = false;
  let workedAt = Number.NEGATIVE_INFINITY;
  const largeUnderWay = new Map<string, Promise<void>>();

  async function sweepUntilStopped(): Promise<void> {
    while (!stopping.signal.aborted) {
      await rest.untilAwake(stopping.signal);
      if (stopping.signal.aborted) break;
      const asked = sleepers;
      sleepers = [];
      let sleepMs: number;
      try {
        sleepMs = await sweep();
        lastSweepAt = now();
        if (databaseAway) log.info('PostgreSQL is back');
        databaseAway = false;
      } catch (error) {
        if (!databaseAway) log.error({ err: error }, 'Due emails could not be read');
        databaseAway = isUnavailable(error);
        sleepMs = pauseWithoutDatabaseMs;
      }
      for (const done of asked) done();
      if (sleepers.length === 0) await sleep(Math.max(0, Math.min(sleepMs, pollIntervalMs)));
    }
    for (const done of sleepers) done();
  }

  async function sleep(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: alarm.signal }).catch(() => {
      alarm = new AbortController();
    });
  }

  /** One look at the outbox; hands over all that is due. Answers how long nothing more will be. */
  async function sweep(): Promise<number> {
    const dueInMs = await nextDueInMs(database);
    if (dueInMs === undefined || dueInMs > 0) {
      log.debug({ dueInMs }, 'EMAIL SCHEDULER - Checking for scheduled emails');
      return Math.min(dueInMs ?? pollIntervalMs, pollMs());
    }
    // While the relay is away the same mail is due at every look.
    log[relayAway === null ? 'info' : 'debug'](
      { dueInMs },
      'EMAIL SCHEDULER - Checking for scheduled emails',
    );
    rest.stir();
    using _ = rest.stayAwake();
    const claimed = await drain();
    workedAt = now();
    return claimed > 0 && relayAway === null ? 0 : pauseInVainMs;
  }

  function pollMs(): number {
    const quietFor = now() - workedAt;
    return quietFor > restlessMs ? pollIntervalMs : Math.max(quietFor / 2, shortestPollMs);
  }

  async function handOverOne({ email, at }: Claim): Promise<HandOverResult['outcome'] | undefined> {
    const result = await handOverClaimed(deps, email, handOverTimeoutMs);
    // Somebody else's now, or for later.
    if (!result) return undefined;
    answered(result.outcome, email.overdueMs + now() - at);
    if (result.outcome === 'away') {
      if (relayAway === null) log.warn({ why: result.why }, 'The relay is not reachable; due emails wait');
      relayAway = result.why;
    } else {
      if (relayAway !== null) log.info('The relay is reachable again');
      relayAway = null;
      if (result.outcome === 'accepted') handedOver++;
    }
    return result.outcome;
  }

  /** Starts as many as have a place; the others go back to the outbox and come again, the first one first. */
  async function handOverLarge(claimed: readonly ClaimedEmail[], at: number): Promise<void> {
    let bytes = 0;
    for (const email of claimed) {
      bytes += bytesOf(email);
      if (largeUnderWay.size < mostLarge && !largeUnderWay.has(email.id)) {
        const handingOver = handOverOne({ email, at }).then(() => void largeUnderWay.delete(email.id));
        largeUnderWay.set(email.id, handingOver);
      } else {
        await handBack(database, [email], soonMs + bytes / largeBytesPerMs);
      }
    }
  }

  /** Claims and hands over until nothing is due, `concurrency` at a time. Answers how many it claimed. */
  async function drain(): Promise<number> {
    const buffer: Claim[] = [];
    let count = 0;
    let claiming: Promise<void> | undefined;
    let exhausted = false;

    async function claim(): Promise<void> {
      // One email finds out whether the relay is back; the others stay where they are.
      const limit = relayAway === null ? batchSize : 1;
      const at = now();
      const claimed = await claimDueEmails(database, { limit });
      exhausted = claimed.length < limit || relayAway !== null;
      count += claimed.length;
      const [large, small] = apart(claimed);
      buffer.push(...small.map((email) => ({ email, at })));
      await handOverLarge(large, at);
    }

    async function next(): Promise<Claim | undefined> {
      while (!stopping.signal.aborted) {
        if (!claiming && !exhausted && buffer.length < batchSize / 2) {
          claiming = claim().finally(() => {
            claiming = undefined;
          });
          // Whoever takes from the buffer meanwhile need not know; whoever waits will.
          claiming.catch(() => {});
        }
        const ready = buffer.shift();
        if (ready) return ready;
        if (!claiming) return undefined;
        await claiming;
      }
      return undefined;
    }

    async function handOverNext(): Promise<void> {
      for (let claimed = await next(); claimed; claimed = await next()) {
        if (now() - claimed.at > beginWithinMs) continue;
        if ((await handOverOne(claimed)) === 'away') exhausted = true;
        if (relayAway !== null) break;
      }
    }

    try {
      await Promise.all(Array.from({ length: concurrency }, handOverNext));
      return count;
    } finally {
      if (buffer.length > 0)
        await handBack(
          database,
          buffer.map(({ email }) => email),
        );
    }
  }

  const stop = () => {
    stopping.abort();
    alarm.abort();
  };
  signal.addEventListener('abort', stop, { once: true });
  const looking = sweepUntilStopped();
  return {
    async wake() {
      if (stopping.signal.aborted) return;
      await new Promise<void>((resolve) => {
        sleepers.push(resolve);
        alarm.abort();
      });
    },
    report: () => ({
      lastSweepMsAgo: lastSweepAt === undefined ? null : Math.round(now() - lastSweepAt),
      handedOver,
      relayAway,
    }),
    async [Symbol.asyncDispose]() {
      stop();
      await looking;
      await Promise.all(largeUnderWay.values());
    },
  };
}

function apart(claimed: readonly ClaimedEmail[]): [large: ClaimedEmail[], small: ClaimedEmail[]] {
  const isLarge = (email: ClaimedEmail) => bytesOf(email) > largeBytes;
  return [claimed.filter(isLarge), claimed.filter((email) => !isLarge(email))];
}
