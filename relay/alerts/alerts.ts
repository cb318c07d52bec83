// Telling people that mail is stuck, by ways that mail does not take: a line in the log, a metric, and a webhook.
import type { Log } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import type { Stage } from '../client/vocabulary.ts';
import { type FailurePlace, inBrief } from '../verdict/explain.ts';
import { openWebhookQueue, usualWaits, type WebhookWaits } from './webhook-queue.ts';

export type Alert = {
  readonly kind: string;
  /** The provider it is about. */
  readonly lane: string;
  /** Why, as a slug; what it means and how to fix it is in the catalogue. */
  readonly cause: string;
  readonly stage: Stage;
  /** The reply of the provider, or the error of the system. */
  readonly detail: string;
  readonly sender?: string;
  /** What it means and how to fix it, where the catalogue does not have the cause. */
  readonly words?: { readonly title: string; readonly fix: string };
};

export type Alerts = AsyncDisposable & {
  /** Never fails and never waits. */
  raise(alert: Alert): void;
};

/** A reply of a provider can be long, and an alert is read on a telephone. */
const mostDetail = 1_000;

const goodNews = new Set(['lane-open', 'sender-free', 'domain-good']);

/**
 * Opens the way for alerts. They reach the webhook in their order, one at a time. One that is not taken is tried again
 * for an hour, also while others wait behind it.
 *
 * @param secret signs in the scheme of Standard Webhooks; without it there is no such signature
 * @param relayPassword signs the header of release 0.1: `X-Postern-Signature: t=SECONDS,v1=HEX`
 */
export function openAlerts({
  log,
  url,
  secret,
  relayPassword,
  metrics,
  place = () => ({}),
  now = () => new Date(),
  waits = usualWaits,
}: {
  log: Log;
  url?: string | undefined;
  secret?: string | undefined;
  relayPassword: string;
  /** Without it nothing is counted. */
  metrics?: Metrics | undefined;
  /** What the advice depends on, by the name of the provider. */
  place?: (lane: string) => Pick<FailurePlace, 'host' | 'platform'>;
  now?: () => Date;
  waits?: WebhookWaits;
}): Alerts {
  const count = metrics?.counter({
    name: 'postern_delivery_alerts_total',
    help: 'Alerts that were raised, by kind and cause.',
    labels: ['kind', 'cause'],
  });
  const lose = metrics?.counter({
    name: 'postern_alerts_lost_total',
    help: 'Alerts that the webhook did not accept within an hour, or that were dropped for newer ones.',
  });
  // Known from the start, so that the first one is an increase.
  lose?.({}, 0);
  const queue =
    url === undefined
      ? undefined
      : openWebhookQueue({ log, url, secret, relayPassword, now, waits, lost: () => lose?.() });
  return {
    raise({ words: given, ...alert }) {
      count?.({ kind: alert.kind, cause: alert.cause });
      const words = given ?? inBrief(alert.cause, place(alert.lane));
      const told = { ...alert, detail: alert.detail.slice(0, mostDetail), ...words };
      log[goodNews.has(alert.kind) ? 'info' : 'error'](
        { event: 'alert', ...told },
        `Mail alert: ${alert.kind}: ${words.title || alert.cause}`,
      );
      queue?.add(alert.kind, JSON.stringify({ ...told, at: now().toISOString() }));
    },
    async [Symbol.asyncDispose]() {
      await queue?.[Symbol.asyncDispose]();
    },
  };
}
