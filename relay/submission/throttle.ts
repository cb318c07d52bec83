// Guessing passwords must not pay. Failures are counted for each name from an address, and for the address with all
// names together; an application with a wrong password does not lock out its neighbours behind the same address.

export type Throttle = {
  /** Seconds until another try is allowed; 0 when it is allowed now. */
  wait(address: string, name: string, now: number): number;
  failed(address: string, name: string, now: number): void;
  succeeded(address: string, name: string): void;
};

const windowMs = 10 * 60_000;
const failuresPerName = 5;
const failuresPerAddress = 50;
// A botnet must not fill our memory; forgetting the oldest first only helps who has waited longest.
const mostRemembered = 10_000;

type Count = { failures: number; since: number };

/** Times are milliseconds of any clock that does not go backwards. */
export function openThrottle(): Throttle {
  const counts = new Map<string, Count>();

  function waitFor(key: string, allowed: number, now: number): number {
    const count = counts.get(key);
    if (!count || count.failures < allowed) return 0;
    return Math.max(0, Math.ceil((count.since + windowMs - now) / 1000));
  }

  function count(key: string, now: number): void {
    const last = counts.get(key);
    const isRecent = last !== undefined && last.since + windowMs > now;
    counts.delete(key);
    counts.set(
      key,
      isRecent ? { failures: last.failures + 1, since: last.since } : { failures: 1, since: now },
    );
    const oldest = counts.keys().next().value;
    if (counts.size > mostRemembered && oldest !== undefined) counts.delete(oldest);
  }

  const keyOf = (address: string, name: string) => `${address} ${name}`;

  return {
    wait(address, name, now) {
      return Math.max(
        waitFor(keyOf(address, name), failuresPerName, now),
        waitFor(address, failuresPerAddress, now),
      );
    },
    failed(address, name, now) {
      count(keyOf(address, name), now);
      count(address, now);
    },
    succeeded(address, name) {
      counts.delete(keyOf(address, name));
    },
  };
}
