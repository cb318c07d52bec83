// What one key may have under way at once. The connections to the database are for everybody: a key that asks for much
// at the same time, or for what takes long, waits for itself and not the others for it.
import { type Budget, openBudget } from '../deploy/budget.ts';
import type { Operation } from './operation.ts';
import { Problem } from './problem.ts';

const mostAtOnce = 128;
/** Finding something among much mail takes as long as it takes, and a test mail half a minute. */
const mostLong = 4;
const patienceMs = 30_000;

export type Turns = {
  /** Waits for a turn of this key. Throws `rate-limited` when none comes in time. */
  take(key: string, operation: Operation): Promise<Disposable>;
};

export function openTurns(): Turns {
  const linesOf = new Map<string, { readonly all: Budget; readonly long: Budget; users: number }>();

  return {
    async take(key, operation) {
      const lines = linesOf.get(key) ?? { all: openBudget(mostAtOnce), long: openBudget(mostLong), users: 0 };
      linesOf.set(key, lines);
      lines.users++;
      using turn = new DisposableStack();
      turn.defer(() => {
        if (--lines.users === 0) linesOf.delete(key);
      });
      if (takesLong(operation)) turn.use(await inLine(lines.long));
      turn.use(await inLine(lines.all));
      return turn.move();
    },
  };
}

const takesLong = ({ run, method, query }: Operation) =>
  run.kind === 'reads' && (query !== undefined || method === 'post');

async function inLine(line: Budget): Promise<Disposable> {
  const turn = await line.reserve(1, patienceMs);
  if (turn) return turn;
  throw new Problem('rate-limited', 'Too many requests of this key are being worked on at once.', {
    headers: { 'retry-after': '5' },
  });
}
