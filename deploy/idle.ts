// What IDLE and IDLE_AFTER make of a process: one that is always awake, or one that sleeps and wakes the others.
import { type Door, openKnocker } from './knock.ts';
import type { Log } from './log.ts';
import { alwaysAwake, openSleep, type Sleep } from './sleep.ts';

export type Idle = {
  readonly mode: 'normal' | 'sleep';
  readonly afterMs: number;
  /** Where the relay is woken. */
  readonly relay: Door;
};

export type Resting = AsyncDisposable & {
  readonly sleep: Sleep;
  /** What the heartbeat says of it: without `knocks` no other process sleeps. */
  says(): { readonly knocks?: boolean };
};

/** Whoever has nothing to wake for wakes once a day nevertheless: for housekeeping, and to show that it lives. */
export const longestSleepMs = 24 * 60 * 60_000;

/**
 * @param doors of the processes that this one wakes
 * @param fallAsleep see `openSleep`
 */
export function openResting(
  { mode, afterMs }: Idle,
  doors: readonly Door[],
  {
    log,
    fallAsleep,
    saysOther,
  }: {
    log: Log;
    fallAsleep: () => Promise<number | undefined>;
    /** Told when the heartbeat says something else than before: others wait for it. */
    saysOther: () => void;
  },
): Resting {
  if (mode === 'normal') return { sleep: alwaysAwake, says: () => ({}), async [Symbol.asyncDispose]() {} };
  const knocker = openKnocker(doors, { everyMs: afterMs / 4, log, changed: saysOther });
  const sleep = openSleep({
    afterMs,
    log,
    stirred: knocker.knock,
    // Whoever does not answer has not heard of what this process did.
    fallAsleep: async () => (knocker.isAnswered ? fallAsleep() : undefined),
  });
  return {
    sleep,
    says: () => ({ knocks: knocker.isAnswered }),
    async [Symbol.asyncDispose]() {
      knocker[Symbol.dispose]();
      await sleep[Symbol.asyncDispose]();
    },
  };
}
