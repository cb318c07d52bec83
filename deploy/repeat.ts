// Work that is done for as long as a process runs, never twice at the same time: while a statement hangs, the next turn
// waits for it instead of asking for another connection.

export type Repeating = {
  /** Does a turn now instead of later; after the one under way, when there is one. */
  now(): void;
  /** Does the next turn within so many milliseconds, if it is not that soon anyway. Cheap. */
  within(ms: number): void;
  /** Ends it and waits for the turn under way. */
  stop(): Promise<void>;
};

/** setTimeout takes anything longer for 1 ms. */
const longestPauseMs = 2 ** 31 - 1;

/**
 * Runs `work` again and again, with a pause after it ended. It must not reject: what it could not do is its own to tell.
 *
 * @param pauseMs asked after every turn where it is a function; without a pause (undefined) the next turn waits for `now`
 * @param first whether the first turn begins at once or after a pause
 */
export function every(
  pauseMs: number | (() => number | undefined),
  work: () => Promise<void>,
  { first = 'at once' }: { first?: 'at once' | 'after a pause' } = {},
): Repeating {
  let stopped = false;
  let again = false;
  /** When the next turn begins, by a clock that only goes forward; for ever when no timer runs. */
  let nextAt = Number.POSITIVE_INFINITY;
  let atMostMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const wait = () => {
    running = undefined;
    if (stopped) return;
    if (again) return run();
    const pause = typeof pauseMs === 'function' ? pauseMs() : pauseMs;
    arm(Math.min(pause ?? Number.POSITIVE_INFINITY, atMostMs ?? Number.POSITIVE_INFINITY));
  };
  const arm = (ms: number) => {
    clearTimeout(timer);
    atMostMs = undefined;
    nextAt = performance.now() + ms;
    if (ms !== Number.POSITIVE_INFINITY) timer = setTimeout(run, Math.min(ms, longestPauseMs));
  };
  const run = () => {
    again = false;
    nextAt = Number.NEGATIVE_INFINITY;
    running = work().finally(wait);
  };
  if (first === 'at once') run();
  else wait();
  return {
    now() {
      if (stopped) return;
      clearTimeout(timer);
      if (running !== undefined) again = true;
      else run();
    },
    within(ms) {
      if (stopped) return;
      if (running !== undefined) atMostMs = Math.min(ms, atMostMs ?? ms);
      else if (nextAt - performance.now() > ms) arm(ms);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
