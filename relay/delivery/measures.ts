// What delivery counts for Prometheus: outcomes. The state of lanes and queue is looked up (relay/measures.ts).
import type { Metrics } from '../../deploy/metrics.ts';

export type Measures = {
  /** A recipient has come to rest, or waits again. */
  outcome(status: string, cause: string | null): void;
  /** A reply that no rule knows by its words. */
  unknownReply(cause: string): void;
};

/** Without `metrics` nothing is counted. */
export function openMeasures(metrics: Metrics | undefined): Measures {
  if (!metrics) return { outcome() {}, unknownReply() {} };
  const outcomes = metrics.counter({
    name: 'postern_delivery_outcomes_total',
    help: 'Results of attempts, by recipient.',
    labels: ['status', 'cause'],
  });
  const unknown = metrics.counter({
    name: 'postern_unknown_replies_total',
    help: 'Refusals that no rule knows: only their code was used.',
    labels: ['cause'],
  });
  return {
    outcome: (status, cause) => outcomes({ status, cause: cause ?? '' }),
    unknownReply: (cause) => unknown({ cause }),
  };
}
