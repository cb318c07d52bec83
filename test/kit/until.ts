// Waiting for a condition, the only kind of waiting our tests do.
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

type TimeLimits = {
  /** How long the condition may take before the wait fails. */
  readonly timeoutMs?: number;
  /** What is being waited for, in words, for the failure message. */
  readonly what?: string;
};

type Truthy<T> = Exclude<T, false | null | undefined | 0 | 0n | ''>;

/**
 * Polls `condition` (every 5 ms at first, every 50 ms at last) and returns its first truthy value.
 * A condition that throws counts as not yet true: a process that is still starting refuses connections.
 *
 * @throws when `timeoutMs` (20,000 by default) has passed, telling what the condition last returned or threw.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 20_000, what = 'the condition' }: TimeLimits = {},
): Promise<Truthy<T>> {
  // Made here, so that the stack of a failure points at the waiting test and not at a timer.
  const failure = new Error();
  const deadline = performance.now() + timeoutMs;
  // One timer for the whole wait, ended with it: a forgotten one would keep the process alive.
  using alarm = deadlineAfter(timeoutMs);
  let lastSeen = 'nothing: it never returned';
  for (let intervalMs = 5; ; intervalMs = Math.min(intervalMs * 1.5, 50)) {
    const seen = await Promise.race([look(condition), alarm.passed]);
    if (seen?.value) return seen.value as Truthy<T>;
    if (seen) lastSeen = seen.words;
    if (performance.now() >= deadline) {
      failure.message = `waited ${timeoutMs} ms for ${what}; last seen: ${lastSeen}`;
      throw failure;
    }
    await pause(intervalMs);
  }
}

async function look<T>(condition: () => T | Promise<T>): Promise<{ value?: T; words: string }> {
  try {
    const value = await condition();
    return { value, words: inspect(value, { depth: 4 }) };
  } catch (error) {
    return { words: `thrown: ${error instanceof Error ? error.message : inspect(error)}` };
  }
}

function deadlineAfter(timeoutMs: number): Disposable & { readonly passed: Promise<undefined> } {
  const { promise: passed, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  return { passed, [Symbol.dispose]: () => clearTimeout(timer) };
}
