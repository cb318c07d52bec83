// Posts events to endpoints: one drain for each endpoint that has something due, so that none waits for another. It is
// woken by the transaction that writes the first event, and looks every second besides.
import { setTimeout as pause } from 'node:timers/promises';
import type { Connection, Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import { alwaysAwake, type Sleep } from '../../deploy/sleep.ts';
import { findDueWebhooks } from '../../relay/client/webhook/outgoing.ts';
import { type Delivering, drainEndpoint, type Outcome } from './drain-endpoint.ts';

const lookEveryMs = 1_000;
/**
 * For a second after a drain: a transaction that began while the last event was under way wakes nobody
 * (a_webhook_is_idle), and may be committed just after we found nothing more.
 */
const lookAfterDrainMs = 100;
const drainLastsMs = 1_000;
/** While there is no endpoint at all. */
const lookWithoutEndpointMs = 30_000;
const listenAgainMs = 1_000;
/** What a stopping process gives to requests that are under way. */
const stopMs = 5_000;

export type Webhooks = AsyncDisposable;

// Long because its small functions share what is under way and the alarm that ends a sleep.
export function startWebhooks({
  database,
  log,
  policy,
  scheduleMs,
  userAgent,
  attempted = () => {},
  sleep = alwaysAwake,
}: {
  database: Database;
  log: Log;
  policy: AddressPolicy;
  scheduleMs: readonly number[];
  userAgent: string;
  attempted?: (outcome: Outcome, delayMs: number) => void;
  sleep?: Sleep;
}): Webhooks {
  const stopping = new AbortController();
  const ending = new AbortController();
  let alarm = new AbortController();
  const draining = new Map<string, Promise<void>>();
  const delivering: Delivering = {
    ...{ database, log, policy, scheduleMs, userAgent, attempted },
    ...{ stopping: stopping.signal, ending: ending.signal },
  };
  let isAway = false;
  let drainedAt = Number.NEGATIVE_INFINITY;

  async function look(): Promise<number> {
    const { due, isAnyEnabled } = await findDueWebhooks(database);
    const isWarm = performance.now() - drainedAt < drainLastsMs;
    let nextMs = isWarm ? lookAfterDrainMs : isAnyEnabled ? lookEveryMs : lookWithoutEndpointMs;
    for (const { id, dueInMs } of due) {
      if (draining.has(id)) continue;
      if (dueInMs > 0) nextMs = Math.min(nextMs, dueInMs);
      else draining.set(id, drain(id));
    }
    return nextMs;
  }

  async function drain(id: string): Promise<void> {
    let isThrough = false;
    sleep.stir();
    using _ = sleep.stayAwake();
    try {
      await drainEndpoint(id, delivering);
      isThrough = true;
    } catch (error) {
      log.warn({ err: error, webhook: id }, 'Deliveries to a webhook were interrupted');
    } finally {
      draining.delete(id);
      drainedAt = performance.now();
      // What was written while the last request was under way woke nobody.
      if (isThrough) alarm.abort();
    }
  }

  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep.untilAwake(stopping.signal);
      if (stopping.signal.aborted) return;
      let sleepMs = lookEveryMs;
      try {
        sleepMs = await look();
        if (isAway) log.info('Events for webhooks can be read again');
        isAway = false;
      } catch (error) {
        if (!isAway) log.error({ err: error }, 'Events for webhooks could not be read');
        isAway = true;
      }
      if (stopping.signal.aborted) return;
      await pause(sleepMs, undefined, { signal: alarm.signal }).catch(() => {});
      if (alarm.signal.aborted) alarm = new AbortController();
    }
  }

  async function keepListening(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep.untilAwake(stopping.signal);
      if (stopping.signal.aborted) return;
      const connection = await listen().catch(() => undefined);
      if (connection) {
        // What was written before it listened.
        alarm.abort();
        if (!sleep.isAsleep) await Promise.race([connection.ended, aborted(stopping.signal), asleep.promise]);
        await Promise.resolve(connection[Symbol.asyncDispose]()).catch(() => {});
      }
      if (!sleep.isAsleep) await pause(listenAgainMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  async function listen(): Promise<Connection> {
    const connection = await database.connect();
    try {
      await connection.listen('postern_webhooks', () => alarm.abort());
      return connection;
    } catch (error) {
      await Promise.resolve(connection[Symbol.asyncDispose]()).catch(() => {});
      throw error;
    }
  }

  let asleep = Promise.withResolvers<void>();
  sleep.onChange((isAsleep) => {
    if (isAsleep) asleep.resolve();
    else asleep = Promise.withResolvers<void>();
  });
  const looking = keepLooking();
  const listening = keepListening();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      alarm.abort();
      const timer = setTimeout(() => ending.abort(), stopMs);
      await Promise.all([looking, listening, ...draining.values()]);
      clearTimeout(timer);
    },
  };
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
