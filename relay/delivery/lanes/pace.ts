// What a used-up hourly or daily limit means for the mail of this process: which priorities may still leave. Pure.

export type Pace = {
  /** Monotonic milliseconds until which nothing leaves, and nothing but what people wait for. */
  readonly allUntil: number;
  readonly bulkUntil: number;
  /** When there is room again, as the database said it. */
  readonly clearAt: Date | null;
};

export const unlimited: Pace = { allUntil: 0, bulkUntil: 0, clearAt: null };

/** How long a used-up limit is taken for granted. */
const longestMs = 10_000;

/** Mail that people wait for (`priorities.immediate`), and the least urgent there is. */
const mostUrgent = 0;
const leastUrgent = 9;

/** The limits are used up for mail of this priority and less urgent, for that long. */
export function slowDown(pace: Pace, priority: number, seconds: number, now: number): Pace {
  // Another relay may give something back, and a limit may be raised: look again before long.
  const until = now + Math.min(seconds * 1_000, longestMs);
  return {
    allUntil: priority <= mostUrgent ? until : pace.allUntil,
    bulkUntil: Math.max(pace.bulkUntil, until),
    clearAt: new Date(Date.now() + seconds * 1_000),
  };
}

/** The least urgent priority that may leave now; -1 while the limits are used up. */
export function lowestPriority({ allUntil, bulkUntil }: Pace, now: number): number {
  if (now < allUntil) return -1;
  return now < bulkUntil ? mostUrgent : leastUrgent;
}

/** Until when the limits hold mail back; null when they do not. */
export const pacedUntil = (pace: Pace, now: number): Date | null =>
  lowestPriority(pace, now) < leastUrgent ? pace.clearAt : null;
