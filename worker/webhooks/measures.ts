// What the worker tells Prometheus of webhooks.
import type { Queryable } from '../../deploy/database.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import { countWebhooks } from '../../relay/client/webhook/webhook.ts';
import type { Outcome } from './drain-endpoint.ts';

// Around the second that an event may take, and up to the last retry.
const delayBuckets = [0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3_600, 86_400];

/** What to call for every attempt. */
export function measureAttempts(metrics: Metrics): (outcome: Outcome, delayMs: number) => void {
  const count = metrics.counter({
    name: 'postern_webhook_attempts_total',
    help: 'Attempts of this worker to post an event to a webhook: delivered, retried, or failed for good.',
    labels: ['outcome'],
  });
  const observeDelay = metrics.histogram({
    name: 'postern_webhook_delay_seconds',
    help: 'Time from an event until a webhook took it from this worker.',
    buckets: delayBuckets,
  });
  return (outcome, delayMs) => {
    count({ outcome });
    if (outcome === 'delivered') observeDelay({}, delayMs / 1000);
  };
}

export function measureWebhooks(metrics: Metrics, q: Queryable): void {
  metrics.gauge({
    name: 'postern_webhooks',
    help: 'Webhooks by state: enabled, or why they are disabled (by-hand, gone, failing).',
    labels: ['state'],
    read: async () => {
      const { states } = await countWebhooks(q);
      return Object.entries(states).map(([state, value]) => ({ labels: { state }, value }));
    },
  });
  metrics.gauge({
    name: 'postern_webhook_undelivered_events',
    help: 'Events that wait for a webhook, of all webhooks together, counted up to 100,000 for each.',
    read: async () => [{ labels: {}, value: (await countWebhooks(q)).undelivered }],
  });
  metrics.gauge({
    name: 'postern_webhook_dropped_events',
    help: 'Events that were dropped before a webhook took them, since the webhooks were created.',
    read: async () => [{ labels: {}, value: (await countWebhooks(q)).dropped }],
  });
}
