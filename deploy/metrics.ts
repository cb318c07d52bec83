// What a process tells Prometheus: what it counts, what it looks up when asked, and how its Node is doing.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Log } from './log.ts';
import { alwaysAwake, type Sleep } from './sleep.ts';

type Name = `postern_${string}`;
type Labels<Label extends string> = Readonly<Partial<Record<Label, string>>>;
type Description<Label extends string> = {
  readonly name: Name;
  readonly help: string;
  readonly labels?: readonly Label[];
};

export type Metrics = {
  /** Counts up by `by` (1); names end in `_total`. */
  counter<Label extends string = never>(
    description: Description<Label>,
  ): (labels?: Labels<Label>, by?: number) => void;
  /** Observes a value in the unit that its name ends in, such as `_seconds`. */
  histogram<Label extends string = never>(
    description: Description<Label> & { readonly buckets: readonly number[] },
  ): (labels: Labels<Label>, value: number) => void;
  /**
   * A value that is looked up for every scrape. When `read` fails (the database is away) only this
   * metric is missing from the answer, because an outage is when the others are wanted.
   */
  gauge<Label extends string = never>(
    description: Description<Label> & {
      /** It is known without the database: looked up while the process sleeps, too. */
      readonly whileAsleep?: true;
      readonly read: () => Promise<readonly { readonly labels?: Labels<Label>; readonly value: number }[]>;
    },
  ): void;
  /** The same for what is counted elsewhere; names end in `_total`. */
  total<Label extends string = never>(
    description: Description<Label> & {
      readonly read: () => Promise<readonly { readonly labels?: Labels<Label>; readonly value: number }[]>;
    },
  ): void;
  /** Everything in the Prometheus text format, as /metrics answers it. */
  text(): Promise<string>;
};

/**
 * The delay of the event loop is how late a timer is that rings this often, and the values include this. The usual 10 ms
 * cost 0.35 % of a core for each process that has nothing to do.
 */
const eventLoopTimerMs = 100;

/** Opens the metrics of one process. Besides its own there are `postern_process_…` and `postern_nodejs_…`. */
export function openMetrics(
  process: 'api' | 'relay' | 'worker',
  log: Log,
  sleep: Sleep = alwaysAwake,
): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ process });
  let isAsked = false;
  /** From the first scrape on: what nobody reads need not be measured. */
  function measureNode(): void {
    if (isAsked) return;
    isAsked = true;
    collectDefaultMetrics({
      register: registry,
      prefix: 'postern_',
      eventLoopMonitoringPrecision: eventLoopTimerMs,
    });
  }

  return {
    counter({ name, help, labels = [] }) {
      const counter = new Counter({ name, help, labelNames: [...labels], registers: [registry] });
      return (given, by = 1) => counter.inc({ ...given }, by);
    },
    histogram({ name, help, labels = [], buckets }) {
      const histogram = new Histogram({
        name,
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        registers: [registry],
      });
      return (given, value) => histogram.observe(given, value);
    },
    gauge({ name, help, labels = [], whileAsleep, read }) {
      new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers: [registry],
        async collect() {
          // What was read last: reading would wake the database, and nothing has changed.
          if (sleep.isAsleep && !whileAsleep) return;
          // What is no longer there must not be told for ever. Without labels, reset alone would say 0.
          this.reset();
          this.remove({});
          try {
            const values = await read();
            for (const { labels: given, value } of values) this.set({ ...given }, value);
          } catch (error) {
            log.warn({ err: error, metric: name }, 'Metric could not be read');
          }
        },
      });
    },
    total({ name, help, labels = [], read }) {
      new Counter({
        name,
        help,
        labelNames: [...labels],
        registers: [registry],
        async collect() {
          if (sleep.isAsleep) return;
          try {
            const values = await read();
            this.reset();
            for (const { labels: given, value } of values) this.inc({ ...given }, value);
          } catch (error) {
            log.warn({ err: error, metric: name }, 'Metric could not be read');
          }
        },
      });
    },
    text() {
      measureNode();
      return registry.metrics();
    },
  };
}

/** With IDLE=sleep: whether the process sleeps. */
export function measureSleep(metrics: Metrics, sleep: Sleep): void {
  metrics.gauge({
    name: 'postern_asleep',
    help: 'Whether this process sleeps because nothing is to be done (IDLE=sleep): 1 or 0. Meanwhile what is read from the database keeps its last value.',
    whileAsleep: true,
    read: async () => [{ value: sleep.isAsleep ? 1 : 0 }],
  });
}
