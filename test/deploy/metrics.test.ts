import { expect, test } from 'vitest';
import { openLog } from '../../deploy/log.ts';
import { openMetrics } from '../../deploy/metrics.ts';

const log = openLog('relay', 'silent');

test('a counter counts by its labels and says which process counted', async () => {
  const metrics = openMetrics('relay', log);
  const count = metrics.counter({
    name: 'postern_accepted_total',
    help: 'Mail taken.',
    labels: ['credential'],
  });
  count({ credential: 'billing' });
  count({ credential: 'billing' }, 2);
  expect(await metrics.text()).toContain('postern_accepted_total{credential="billing",process="relay"} 3');
});

test('what is read for a scrape is gone from the next one when it is gone', async () => {
  const metrics = openMetrics('relay', log);
  let waiting = [{ labels: { status: 'held' }, value: 4 }];
  metrics.gauge({
    name: 'postern_queue_recipients',
    help: 'Recipients that wait.',
    labels: ['status'],
    read: async () => waiting,
  });
  expect(await metrics.text()).toContain('postern_queue_recipients{status="held",process="relay"} 4');
  waiting = [];
  expect(await metrics.text()).not.toContain('status="held"');
});

test('a metric that cannot be read does not silence the others', async () => {
  const metrics = openMetrics('worker', log);
  metrics.gauge({
    name: 'postern_oldest_due_seconds',
    help: 'How late the oldest mail is.',
    read: () => Promise.reject(new Error('PostgreSQL is unavailable')),
  });
  metrics.counter({ name: 'postern_handed_over_total', help: 'Mail handed over.' })();
  const text = await metrics.text();
  expect(text).toContain('postern_handed_over_total{process="worker"} 1');
  expect(text).not.toMatch(/^postern_oldest_due_seconds\b/m);
  expect(text).toMatch(/^postern_process_resident_memory_bytes/m);
});

test('a histogram sorts what it observes into its buckets', async () => {
  const metrics = openMetrics('relay', log);
  const observe = metrics.histogram({
    name: 'postern_attempt_seconds',
    help: 'How long an attempt took.',
    labels: ['outcome'],
    buckets: [0.1, 1],
  });
  observe({ outcome: 'sent' }, 0.05);
  observe({ outcome: 'sent' }, 3);
  const text = await metrics.text();
  expect(text).toContain('postern_attempt_seconds_bucket{le="0.1",process="relay",outcome="sent"} 1');
  expect(text).toContain('postern_attempt_seconds_bucket{le="+Inf",process="relay",outcome="sent"} 2');
});
