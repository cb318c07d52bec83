// The relay's heartbeat: other processes answer from it what only the relay knows.
import type { Queryable } from '../deploy/database.ts';
import { beat, beatIntervalMs, type RelayReport } from './client/status/heartbeat.ts';

export type Heartbeats = {
  beat(q: Queryable): Promise<void>;
  /** Beats when the last time is long enough ago; never before the first `beat`. */
  beatWhenDue(q: Queryable): Promise<void>;
  /** The next beat is due. */
  hasten(): void;
};

/** A look that comes a little early must not leave it to the next one. */
const dueAfterMs = beatIntervalMs * 0.8;

export function openHeartbeats(instance: string, report: () => RelayReport): Heartbeats {
  let nextAt = Number.POSITIVE_INFINITY;
  async function write(q: Queryable): Promise<void> {
    await beat(q, { instance, process: 'relay', report: report() });
    nextAt = performance.now() + dueAfterMs;
  }
  return {
    beat: write,
    async beatWhenDue(q) {
      if (performance.now() >= nextAt) await write(q);
    },
    hasten() {
      if (nextAt !== Number.POSITIVE_INFINITY) nextAt = 0;
    },
  };
}
