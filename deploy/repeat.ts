// Work that is done for as long as a process runs, never twice at the same time: while a statement hangs, the next turn
// waits for it instead of asking for another connection.

export type Repeating = {
  /** Ends it and waits for the turn under way. */
  stop(): Promise<void>;
};

/**
 * Runs `work` again and again, `pauseMs` after it ended. It must not reject: what it could not do is its own to tell.
 *
 * @param first whether the first turn begins at once or after a pause
 */
export function every(
  pauseMs: number,
  work: () => Promise<void>,
  { first = 'at once' }: { first?: 'at once' | 'after a pause' } = {},
): Repeating {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const wait = () => {
    if (!stopped) timer = setTimeout(run, pauseMs);
  };
  const run = () => {
    running = work().finally(wait);
  };
  if (first === 'at once') run();
  else wait();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
