// Work that is done for as long as a relay runs, never twice at the same time.

/** Runs `work` again and again, `pauseMs` after it ended; `stop` waits for the run under way. */
export function every(pauseMs: number, work: () => Promise<void>): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void>;
  const run = () => {
    running = work().finally(() => {
      if (!stopped) timer = setTimeout(run, pauseMs);
    });
  };
  run();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
