// Work that nobody waits for until the relay stops.

export type Background = {
  /** Keeps count of it; what it rejects with is told. */
  follow(work: Promise<unknown>): void;
  /** Resolves when nothing is under way any more. */
  finished(): Promise<void>;
};

export function openBackground(failed: (error: unknown) => void): Background {
  const underWay = new Set<Promise<void>>();
  return {
    follow(work) {
      const done = work.then(() => {}, failed);
      underWay.add(done);
      void done.finally(() => underWay.delete(done));
    },
    async finished() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}
