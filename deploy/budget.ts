// How many octets of requests and messages one process may hold in memory at once. Who gets none waits, and with it
// the socket and the client: TCP's window is the queue, not our heap.
import type { Metrics } from './metrics.ts';

export type Budget = {
  /** No reservation is larger than this. */
  readonly total: number;
  /** What is reserved now. */
  readonly reserved: number;
  /** How many left the line because memory did not come in time. */
  readonly refused: number;
  /** How many wait in line. */
  readonly waiting: number;
  /**
   * Waits in line for `bytes`; disposing gives them back. Undefined when the line did not come to it within
   * `waitMs`; without it, it waits as long as it takes.
   */
  reserve(bytes: number): Promise<Disposable>;
  reserve(bytes: number, waitMs: number): Promise<Disposable | undefined>;
};

/** @param total a single reservation may not be larger */
export function openBudget(total: number): Budget {
  type Turn = { readonly bytes: number; readonly go: (isServed: boolean) => void };
  const line: Turn[] = [];
  let free = total;
  let refused = 0;

  function serve(): void {
    for (let next = line[0]; next && next.bytes <= free; next = line[0]) {
      line.shift();
      free -= next.bytes;
      next.go(true);
    }
  }

  async function reserve(bytes: number): Promise<Disposable>;
  async function reserve(bytes: number, waitMs?: number): Promise<Disposable | undefined>;
  async function reserve(bytes: number, waitMs?: number): Promise<Disposable | undefined> {
    if (bytes > total) throw new RangeError(`${bytes} bytes do not fit into the memory budget of ${total}`);
    const turn = Promise.withResolvers<boolean>();
    const place = { bytes, go: turn.resolve };
    line.push(place);
    serve();
    const leave = () => {
      const index = line.indexOf(place);
      if (index < 0) return;
      line.splice(index, 1);
      refused++;
      turn.resolve(false);
      // It may have kept smaller ones behind it from their turn.
      serve();
    };
    const alarm = waitMs === undefined ? undefined : setTimeout(leave, waitMs);
    const isServed = await turn.promise;
    clearTimeout(alarm);
    if (!isServed) return undefined;
    return {
      [Symbol.dispose]() {
        free += bytes;
        serve();
      },
    };
  }

  return {
    total,
    get reserved() {
      return total - free;
    },
    get refused() {
      return refused;
    },
    get waiting() {
      return line.length;
    },
    reserve,
  };
}

const mb = 1024 * 1024;

/** What a process with nothing to do and its code take, and what the collector leaves lying about. */
const idleBytes = 195 * mb;
/** What a process of ours may take at most, also where its container has no limit; see "Sizing" in deploy/README.md. */
const mostBytes = 400 * mb;

/**
 * What is left for requests and messages in this process: it follows the memory limit of its container, and at least
 * one of `largest` octets fits, or nothing large would ever move.
 */
export function roomForBodies(largest: number, limit: number = process.constrainedMemory()): number {
  // Without a limit Node answers 0 or a number beyond all memory.
  const most = limit > 0 ? Math.min(mostBytes, limit * 0.8) : mostBytes;
  return Math.max(largest, Math.floor(most - idleBytes));
}

/** @param holds what the memory is reserved for, such as `bodies` */
export function measureBudgets(metrics: Metrics, budgets: Readonly<Record<string, Budget>>): void {
  const each = (read: (budget: Budget) => number) => async () =>
    Object.entries(budgets).map(([holds, budget]) => ({ labels: { holds }, value: read(budget) }));
  metrics.gauge({
    name: 'postern_memory_budget_bytes',
    help: 'Memory that this process uses for requests and messages at most, from the memory limit of the container.',
    labels: ['holds'],
    read: each(({ total }) => total),
  });
  metrics.gauge({
    name: 'postern_memory_reserved_bytes',
    help: 'Memory of the budget that is reserved now.',
    labels: ['holds'],
    read: each(({ reserved }) => reserved),
  });
  metrics.total({
    name: 'postern_memory_refusals_total',
    help: 'Requests and messages that were put off because there was no memory for them in time.',
    labels: ['holds'],
    read: each(({ refused }) => refused),
  });
}
