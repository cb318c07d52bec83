// IDLE=sleep: a process that has nothing to do lets go of the database, so that a serverless one may stop. While it
// sleeps it makes no statement and has no connection. It wakes at the time that it knew to be the next one, when somebody
// uses it, and when another process of Postern knocks (deploy/knock.ts), since no NOTIFY reaches it.
import type { Log } from './log.ts';
import { every, type Repeating } from './repeat.ts';

export type Sleep = {
  readonly isAsleep: boolean;
  /** By the clock of this machine; undefined while it is awake. */
  readonly since: Date | undefined;
  /** This process has something to do, or somebody uses it: wakes it, keeps it awake for a while, and tells the others. */
  stir(): void;
  /** Another process has something to do: wakes this one as well, and keeps it awake for a while. */
  knocked(): void;
  /** Keeps it awake until it is disposed. */
  stayAwake(): Disposable;
  /** Told whenever it falls asleep or wakes. */
  onChange(changed: (isAsleep: boolean) => void): void;
  /** Resolves at once while it is awake, and else when it wakes or the signal aborts. */
  untilAwake(signal?: AbortSignal): Promise<void>;
};

/** IDLE=normal. */
export const alwaysAwake: Sleep = {
  isAsleep: false,
  since: undefined,
  stir() {},
  knocked() {},
  stayAwake: () => ({ [Symbol.dispose]() {} }),
  onChange() {},
  async untilAwake() {},
};

/** setTimeout takes anything longer for 1 ms. */
const longestTimerMs = 2 ** 31 - 1;

type Open = {
  /** How long nothing may have happened. */
  readonly afterMs: number;
  /**
   * Asks the database when the next thing is due and says there that this process sleeps until then. Answers in how many
   * milliseconds it must wake; undefined when it may not sleep now.
   */
  readonly fallAsleep: () => Promise<number | undefined>;
  /** Told when `stir` was called: the others must know. */
  readonly stirred: () => void;
  readonly log: Log;
};

/** Long because its small functions share one state: awake, falling asleep or asleep. */
export function openSleep({ afterMs, fallAsleep, stirred, log }: Open): Sleep & AsyncDisposable {
  const listeners: ((isAsleep: boolean) => void)[] = [];
  const waiting: (() => void)[] = [];
  let since: Date | undefined;
  let stirs = 0;
  let stirredAt = performance.now();
  let reasons = 0;
  let timer: NodeJS.Timeout | undefined;
  let trying: Promise<void> | undefined;
  let isOver = false;

  function arm(ms: number, then: () => void): void {
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(then, Math.min(Math.max(ms, 0), longestTimerMs)).unref();
  }

  function tryToSleep(): void {
    trying ??= attempt()
      .catch((error) => log.debug({ err: error }, 'Could not ask whether this process may sleep'))
      .finally(() => {
        trying = undefined;
        if (since === undefined)
          arm(Math.max(stirredAt + afterMs - performance.now(), afterMs / 4), tryToSleep);
      });
  }

  async function attempt(): Promise<void> {
    if (reasons > 0 || performance.now() - stirredAt < afterMs) return;
    const before = stirs;
    const wakeInMs = await fallAsleep();
    if (wakeInMs === undefined || isOver) return;
    if (stirs !== before || reasons > 0) {
      // It has just said that it sleeps.
      tell(false);
      return;
    }
    since = new Date();
    log.info({ event: 'asleep', wakesInSeconds: Math.round(wakeInMs / 1_000) }, 'Nothing to do: asleep');
    arm(wakeInMs, stir);
    tell(true);
  }

  function tell(isAsleep: boolean): void {
    for (const changed of listeners) changed(isAsleep);
    if (isAsleep) return;
    for (const go of waiting.splice(0)) go();
  }

  function knocked(): void {
    stirs++;
    stirredAt = performance.now();
    if (since === undefined) return;
    log.info({ event: 'awake', asleepSince: since }, 'Awake');
    since = undefined;
    arm(afterMs, tryToSleep);
    tell(false);
  }

  function stir(): void {
    knocked();
    stirred();
  }

  arm(afterMs, tryToSleep);
  return {
    get isAsleep() {
      return since !== undefined;
    },
    get since() {
      return since;
    },
    stir,
    knocked,
    stayAwake() {
      knocked();
      reasons++;
      let isHeld = true;
      return {
        [Symbol.dispose]() {
          if (!isHeld) return;
          isHeld = false;
          reasons--;
          knocked();
        },
      };
    },
    onChange(changed) {
      listeners.push(changed);
    },
    async untilAwake(signal) {
      if (since === undefined || signal?.aborted) return;
      const awake = Promise.withResolvers<void>();
      waiting.push(awake.resolve);
      signal?.addEventListener('abort', () => awake.resolve(), { once: true });
      await awake.promise;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      clearTimeout(timer);
      await trying;
    },
  };
}

/** While the process sleeps it has no connection to the database: one that is open keeps some services from stopping it. */
export function letGoWhenAsleep(
  sleep: Sleep,
  { letGo, log }: { letGo: () => Promise<void>; log: Log | undefined },
): void {
  sleep.onChange((isAsleep) => {
    if (isAsleep) letGo().catch((error) => log?.debug({ err: error }, 'A connection could not be closed'));
  });
}

/** `every`, but never while the process sleeps; the first turn after that begins when it wakes. */
export function everyWhileAwake(
  sleep: Sleep,
  pauseMs: number | (() => number | undefined),
  work: () => Promise<void>,
  options?: { first?: 'at once' | 'after a pause' },
): Repeating {
  const repeating = every(
    () => {
      if (sleep.isAsleep) return undefined;
      return typeof pauseMs === 'function' ? pauseMs() : pauseMs;
    },
    async () => {
      if (!sleep.isAsleep) await work();
    },
    options,
  );
  sleep.onChange((isAsleep) => {
    if (!isAsleep) repeating.now();
  });
  return repeating;
}
