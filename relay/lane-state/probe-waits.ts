// How long a lane or a sender that a provider refuses waits for its probes.

/** The first wait and the longest, in milliseconds; each probe that fails doubles the wait. */
export type ProbeWaits = {
  /** Probing an unreachable lane. */
  readonly unreachableProbeMs: readonly [number, number];
  /** Probing a stopped lane, one AUTH each. */
  readonly stoppedProbeMs: readonly [number, number];
  /** Trying a held sender again with one mail. */
  readonly senderProbeMs: readonly [number, number];
};

const second = 1_000;
const minute = 60 * second;

export const usualProbeWaits: ProbeWaits = {
  unreachableProbeMs: [5 * second, minute],
  stoppedProbeMs: [minute, 30 * minute],
  senderProbeMs: [minute / 2, 30 * minute],
};
