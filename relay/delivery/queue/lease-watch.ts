// Whether this relay may declare the leases of others lost. Whoever could not renew its own leases, frozen or cut off
// from the database, is in no position to: the others could not renew theirs either.

export type LeaseWatch = {
  /** The database did not answer: for one lease nobody can be blamed for not renewing. */
  databaseWasAway(): void;
  /** Our own leases were renewed by a statement that began at `startedAt` (monotonic, ms). */
  renewed(startedAt: number): void;
  mayReap(): boolean;
};

/** @param now monotonic, in milliseconds */
export function watchLeases(leaseMs: number, now: () => number = () => performance.now()): LeaseWatch {
  let reapAfter = now() + leaseMs;
  let renewedAt = now();
  return {
    databaseWasAway() {
      reapAfter = now() + leaseMs;
    },
    renewed(startedAt) {
      renewedAt = startedAt;
    },
    mayReap: () => now() > reapAfter && now() - renewedAt < leaseMs * 0.6,
  };
}
