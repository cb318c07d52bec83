// What delivery counts for Prometheus: outcomes. The state of lanes and queue is looked up (relay/measures.ts).
import type { Metrics } from '../../deploy/metrics.ts';

export type Measures = {
  /** A recipient has come to rest, or waits again. */
  outcome(status: string, cause: string | null): void;
};

/** Without `metrics` nothing is counted. */
export function openMeasures(metrics: Metrics | undefined): Measures {
  if (!metrics) return { outcome() {} };
  const outcomes = metrics.counter({
    name: 'postern_delivery_outcomes_total',
    help: 'What became of recipients, attempt by attempt.',
    labels: ['status', 'cause'],
  });
  return {
    outcome: (status, cause) => outcomes({ status, cause: cause ?? '' }),
  };
}
