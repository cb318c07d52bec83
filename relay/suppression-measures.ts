// What the relay tells Prometheus of addresses that came onto the suppression list by what a mail showed.
import type { Metrics } from '../deploy/metrics.ts';
import type { Suppressed } from './bounces/suppress-reported.ts';

export function measureSuppressions(metrics: Metrics) {
  const add = metrics.counter({
    name: 'postern_suppressions_total',
    help: 'Addresses that came onto the suppression list: by a reply of the provider, or by a report in the mailbox.',
    labels: ['reason', 'source'],
  });
  const withhold = metrics.counter({
    name: 'postern_suppressions_withheld_total',
    help: 'Addresses that reports did not put onto the suppression list, because they were more than 50 in an hour.',
  });
  // Known from the start, so that the first one is an increase.
  withhold({}, 0);
  for (const source of ['reply', 'report']) add({ reason: 'bounce', source }, 0);
  return {
    byReply: (by: number) => add({ reason: 'bounce', source: 'reply' }, by),
    byReport({ added, withheld }: Suppressed) {
      for (const reason of added) add({ reason, source: 'report' });
      withhold({}, withheld);
    },
  };
}
