// Delivers what is due at one endpoint, a few requests at once, until nothing is.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import {
  type ClaimedDelivery,
  claimDeliveries,
  settleDelivered,
  settleFailed,
} from '../../relay/client/webhook/outgoing.ts';
import { attempt } from './attempt.ts';
import { decide } from './decide.ts';

const requestsAtOnce = 8;
// While requests are under way and there is room for more.
const lookAgainMs = 250;

export type Outcome = 'delivered' | 'retried' | 'failed';

export type Delivering = {
  readonly database: Database;
  readonly log: Log;
  readonly policy: AddressPolicy;
  readonly scheduleMs: readonly number[];
  readonly userAgent: string;
  /** Told of every attempt, and how long after the event its success came. */
  readonly attempted: (outcome: Outcome, delayMs: number) => void;
  /** No new request begins. */
  readonly stopping: AbortSignal;
  /** Requests under way end. */
  readonly ending: AbortSignal;
};

/** Rejects with what PostgreSQL throws; what was claimed then comes back when its lease is over. */
export async function drainEndpoint(webhookId: string, given: Delivering): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let lost: unknown;
  let isFailing = false;
  for (;;) {
    const free = isFailing ? Math.min(1, 1 - underWay.size) : requestsAtOnce - underWay.size;
    const claimed =
      given.stopping.aborted || lost !== undefined || free < 1
        ? []
        : await claimDeliveries(given.database, webhookId, free);
    for (const delivery of claimed) {
      const one = deliver(delivery, given)
        .then((isDelivered) => {
          isFailing = !isDelivered;
        })
        .catch((error) => {
          lost = error;
        })
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
    if (underWay.size === 0) break;
    // Whoever is through first makes room; those that hang occupy their own places only.
    const timer = new AbortController();
    const again = pause(lookAgainMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([...underWay, again]);
    timer.abort();
  }
  if (lost !== undefined) throw lost;
}

async function deliver(delivery: ClaimedDelivery, given: Delivering): Promise<boolean> {
  const { database, log, policy, scheduleMs, userAgent, attempted, ending } = given;
  const result = await attempt(delivery, { policy, userAgent, signal: ending });
  // Nobody knows whether it arrived: it is delivered again once its lease is over.
  if (ending.aborted && result.answerStatus === null) return true;
  const failure = decide(
    { status: result.answerStatus, retryAfter: result.retryAfter },
    { attempts: delivery.attempts, scheduleMs, now: new Date(), chance: Math.random() },
  );
  const { id, webhookId, type } = delivery;
  if (failure === undefined) {
    await settleDelivered(database, delivery, result);
    attempted('delivered', Date.now() - delivery.at.getTime());
    return true;
  }
  const disabled = await settleFailed(database, delivery, result, failure);
  attempted(failure.nextInSeconds === null ? 'failed' : 'retried', 0);
  log.warn(
    { webhook: webhookId, event: id, type, attempts: delivery.attempts + 1, why: result.error, ...failure },
    'A webhook did not take an event',
  );
  if (disabled !== undefined)
    log.error({ webhook: webhookId, cause: disabled }, `Webhook disabled: ${words[disabled]}`);
  return false;
}

const words = {
  gone: 'it answered 410 (Gone)',
  failing: 'no attempt succeeded for three days. It still collects events; enable it when it works again',
  'by-hand': 'a person did it',
} as const;
