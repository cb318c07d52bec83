// What an answer means, or that none came: pure, so that a table can test it.
import type { Failure } from '../../relay/client/webhook/outgoing.ts';

export type Answered = {
  /** Null: no answer came. */
  readonly status: number | null;
  readonly retryAfter: string | undefined;
};

/** Longer than this an endpoint cannot ask us to wait. */
const longestPauseSeconds = 86_400;

const jitter = 0.2;

/**
 * Undefined when it was delivered.
 *
 * @param attempts that failed before this one
 * @param chance from 0 to 1
 */
export function decide(
  { status, retryAfter }: Answered,
  {
    attempts,
    scheduleMs,
    now,
    chance,
  }: { attempts: number; scheduleMs: readonly number[]; now: Date; chance: number },
): Failure | undefined {
  if (status !== null && status >= 200 && status <= 299) return undefined;
  const waitMs = scheduleMs[attempts];
  const pauseSeconds = status === 429 || status === 503 ? secondsOf(retryAfter, now) : null;
  const planned = waitMs === undefined ? null : (waitMs / 1_000) * (1 - jitter + 2 * jitter * chance);
  return {
    nextInSeconds: planned === null ? null : Math.max(planned, pauseSeconds ?? 0),
    pauseSeconds,
    isGone: status === 410,
  };
}

/** Retry-After is a number of seconds or a date (RFC 9110 section 10.2.3). */
function secondsOf(retryAfter: string | undefined, now: Date): number | null {
  if (retryAfter === undefined) return null;
  const seconds = /^\d{1,9}$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - now.getTime()) / 1_000;
  return Number.isNaN(seconds) ? null : Math.min(Math.max(seconds, 0), longestPauseSeconds);
}
