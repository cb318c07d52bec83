// What the reader of the mailbox tells Prometheus.
import type { Queryable } from '../../deploy/database.ts';
import type { Metrics } from '../../deploy/metrics.ts';

/** Answers what counts a report. */
export function measureMailbox(metrics: Metrics, q: Queryable) {
  metrics.gauge({
    name: 'postern_bounce_mailbox_read',
    help: 'Whether the mailbox for delivery reports can be read: 1 or 0. Absent while none is read.',
    read: async () => {
      const { rows } = await q.query<{ state: string }>(
        'select state from bounce_mailbox where lease_until is not null',
      );
      return rows.map(({ state }) => ({ value: state === 'failing' ? 0 : 1 }));
    },
  });
  metrics.gauge({
    name: 'postern_bounce_mailbox_last_look_seconds',
    help: 'How long ago the mailbox for delivery reports was last looked through.',
    read: async () => {
      const { rows } = await q.query<{ seconds: number }>(
        `select extract(epoch from now() - last_look_at)::float8 as seconds from bounce_mailbox
         where lease_until is not null and last_look_at is not null`,
      );
      return rows.map(({ seconds }) => ({ value: seconds }));
    },
  });
  const count = metrics.counter({
    name: 'postern_bounce_reports_total',
    help: 'Delivery reports that were read: matched with a mail of ours, unmatched, or unreadable.',
    labels: ['outcome'],
  });
  return (outcome: 'matched' | 'unmatched' | 'unreadable') => count({ outcome });
}
