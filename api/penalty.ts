// Failures are counted by network, in this process. Networks that failed too often are kept apart from those that are
// being counted, so that however many others fail, no penalty is forgotten before its time.
type FailureCount = { failures: number; readonly until: number };

export type Penalties = {
  /** Seconds until the network is heard again; 0 when it is heard now. */
  wait(network: string, now: number): number;
  failed(network: string, now: number): void;
};

/** Times are milliseconds of any clock that does not go backwards. */
export function openPenalties({
  allowed,
  windowMs,
  most = 10_000,
}: {
  /** Failures within a window before the network has to wait for its end. */
  allowed: number;
  windowMs: number;
  /** Networks that are remembered of each kind. */
  most?: number;
}): Penalties {
  // Both in the order in which their time is up, because every window lasts as long.
  const counted = new Map<string, FailureCount>();
  const blocked = new Map<string, number>();

  function forget(now: number): void {
    for (const [network, { until }] of counted) {
      if (until > now && counted.size <= most) break;
      counted.delete(network);
    }
    for (const [network, until] of blocked) {
      if (until > now && blocked.size <= most) break;
      blocked.delete(network);
    }
  }

  return {
    wait(network, now) {
      const until = blocked.get(network) ?? 0;
      return Math.max(0, Math.ceil((until - now) / 1000));
    },
    failed(network, now) {
      forget(now);
      if ((blocked.get(network) ?? 0) > now) return;
      const count = counted.get(network) ?? { failures: 0, until: now + windowMs };
      count.failures++;
      counted.set(network, count);
      if (count.failures < allowed) return;
      counted.delete(network);
      blocked.delete(network);
      blocked.set(network, now + windowMs);
    },
  };
}
