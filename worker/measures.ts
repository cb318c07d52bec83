// What the worker tells Prometheus.
import type { Queryable } from '../deploy/database.ts';
import type { Metrics } from '../deploy/metrics.ts';
import { countOutbox } from '../relay/client/outbox/outbox.ts';
import type { HandOverResult } from '../relay/client/outbox/relay-reply.ts';

// Around the 250 ms that mail may be late, and up to the day after which it expires.
const latenessBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3_600, 86_400];

/** What to call for every hand-over. */
export function measureHandOvers(
  metrics: Metrics,
): (outcome: HandOverResult['outcome'], latenessMs: number) => void {
  const count = metrics.counter({
    name: 'postern_hand_overs_total',
    help: 'Emails that this worker tried to hand over to the relay, by outcome.',
    labels: ['outcome'],
  });
  const observeLateness = metrics.histogram({
    name: 'postern_email_lateness_seconds',
    help: 'Time from the due time of an email until the relay accepted it from this worker.',
    buckets: latenessBuckets,
  });
  return (outcome, latenessMs) => {
    count({ outcome });
    if (outcome === 'accepted') observeLateness({}, latenessMs / 1000);
  };
}

export function measureOutbox(metrics: Metrics, q: Queryable): void {
  metrics.gauge({
    name: 'postern_outbox_emails',
    help: 'Emails that the relay does not have yet: not due yet, due now, or paused.',
    labels: ['state'],
    read: async () => {
      const { scheduled, due, paused } = await countOutbox(q);
      return [
        { labels: { state: 'scheduled' }, value: scheduled },
        { labels: { state: 'due' }, value: due },
        { labels: { state: 'paused' }, value: paused },
      ];
    },
  });
}
