// How many octets of messages may be in memory at once. Who gets none waits, and with it the socket and the client:
// TCP's window is the queue, not our heap.

export type Budget = {
  /** Waits in line for `bytes`; disposing gives them back. */
  reserve(bytes: number): Promise<Disposable>;
};

/** @param total a single reservation may not be larger */
export function openBudget(total: number): Budget {
  const line: { bytes: number; go: () => void }[] = [];
  let free = total;

  function serve(): void {
    for (let next = line[0]; next && next.bytes <= free; next = line[0]) {
      line.shift();
      free -= next.bytes;
      next.go();
    }
  }

  return {
    async reserve(bytes) {
      if (bytes > total) throw new RangeError(`${bytes} octets will never fit into a budget of ${total}`);
      const turn = Promise.withResolvers<void>();
      line.push({ bytes, go: turn.resolve });
      serve();
      await turn.promise;
      return {
        [Symbol.dispose]() {
          free += bytes;
          serve();
        },
      };
    },
  };
}
