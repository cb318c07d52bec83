// When a deferred mail is tried again.

const jitter = 0.2;

/**
 * Seconds until the next attempt. The last step of the schedule repeats; ±20 % keep mails that were deferred
 * together from coming back together.
 *
 * @param attempts how many have counted so far, this one included
 * @param asked what the provider asked for, in seconds; asking for less than the schedule changes nothing
 * @param random from 0 to 1
 */
export function secondsUntilRetry(
  schedule: readonly number[],
  attempts: number,
  { asked = 0, random = Math.random() }: { asked?: number | undefined; random?: number } = {},
): number {
  const step = schedule[Math.min(Math.max(attempts, 1), schedule.length) - 1] ?? 60;
  return Math.max(step * (1 - jitter + 2 * jitter * random), asked);
}
