// How many connections a lane may use, beside what its share allows: it begins with one and grows with every mail that
// is taken (slow start), and does not grow where the provider refuses more. Pure: times are monotonic milliseconds.

export type Capacity = {
  /** Connections the slow start allows by now. */
  readonly grown: number;
  readonly grownAt: number;
  /** After a provider refused one connection more: so many and no more, until then. */
  readonly refusedAbove: number;
  readonly refusedUntil: number;
};

/** After a provider refused one connection more, this long no more are tried. */
const refusedForMs = 5 * 60_000;

/** How long the slow start waits for a mail before it tries the next connection beside it. */
const waitForMailMs = 1_000;

/** A lane that has just come to life. */
export const startSlowly = (now: number): Capacity => ({
  grown: 1,
  grownAt: now,
  refusedAbove: Number.POSITIVE_INFINITY,
  refusedUntil: 0,
});

/** The same lane when it opens again: what the provider refused is still true. */
export const startAgain = (capacity: Capacity): Capacity => ({ ...capacity, grown: 1 });

/** A mail was taken: one more connection may be tried. */
export const growAfterMail = (capacity: Capacity, most: number, now: number): Capacity => ({
  ...capacity,
  grown: capacity.grown < most ? capacity.grown + 1 : capacity.grown,
  grownAt: now,
});

/** A mail that takes its time must not keep the others waiting: one more connection after a while. */
export function growAfterWait(capacity: Capacity, active: number, most: number, now: number): Capacity {
  const isWaiting = active >= capacity.grown && now - capacity.grownAt > waitForMailMs;
  return isWaiting && capacity.grown < most
    ? { ...capacity, grown: capacity.grown + 1, grownAt: now }
    : capacity;
}

/** The provider refused one more than `connections`. */
export const refusedMore = (capacity: Capacity, connections: number, now: number): Capacity => ({
  ...capacity,
  refusedAbove: connections,
  refusedUntil: now + refusedForMs,
});

/** Connections that may be in use. @param share what this relay has of the provider's limit */
export const mostConnections = (
  { grown, refusedAbove, refusedUntil }: Capacity,
  share: number,
  now: number,
): number => Math.min(share, grown, now < refusedUntil ? refusedAbove : Number.POSITIVE_INFINITY);
