// While others wait for memory, whoever has some has to use it: a client that begins a large message and lets us wait
// for the rest would keep everybody else from sending theirs.

/** How long a client may let us wait for octets before its pace counts. */
const graceMs = 10_000;
const slowestPerSecond = 64 * 1024;

export type Pace = {
  /** The same octets; what we need ourselves between two of them is not the client's time. */
  measure(octets: AsyncIterable<Buffer>): AsyncGenerator<Buffer>;
  /** Whether we wait for the client now, and have waited for longer than its octets are worth. */
  isTooSlow(): boolean;
};

export function openPace(now: () => number = () => performance.now()): Pace {
  let waitedMs = 0;
  let octetCount = 0;
  let waitsSince: number | undefined = now();

  return {
    async *measure(octets) {
      for await (const chunk of octets) {
        waitedMs += now() - (waitsSince ?? now());
        waitsSince = undefined;
        octetCount += chunk.length;
        yield chunk;
        waitsSince = now();
      }
      waitsSince = undefined;
    },
    isTooSlow() {
      if (waitsSince === undefined) return false;
      const ms = waitedMs + now() - waitsSince;
      return ms > graceMs && octetCount < (ms / 1_000) * slowestPerSecond;
    },
  };
}
