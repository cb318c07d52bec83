// What a relay tells about its ways out: for the heartbeat, and so for the api and the dashboard. No secrets.

import type { LaneState } from '../lane-state/lanes.ts';
import type { Lane } from './lanes/lane.ts';

export type DeliveryReport = {
  readonly routes: readonly {
    lane: string;
    name: string;
    host: string;
    port: number;
    tls_mode: string;
    state: string;
    cause: string | null;
  }[];
  readonly lanes: readonly {
    name: string;
    state: LaneState;
    cause: string | null;
    detail: string | null;
    since: Date;
    next_probe_at: Date | null;
    connections: number;
    proven_at: Date | null;
    last_taken_at: Date | null;
    /** When the hourly or daily limit has room again; null while it has. */
    paced_until: Date | null;
    max_per_hour: number | null;
    max_per_day: number | null;
    held_senders: readonly {
      sender: string;
      cause: string;
      detail: string;
      since: string;
      next_probe_at: string | null;
    }[];
  }[];
};

export function reportOf(lanes: readonly Lane[]): DeliveryReport {
  return {
    routes: lanes.flatMap(({ provider, view: { reading } }) =>
      provider.routes.map(({ name, host, port, tlsMode }) => {
        const known = reading.routes.find((each) => each.name === name);
        return {
          lane: provider.name,
          name,
          host,
          port,
          tls_mode: tlsMode,
          state: known?.state ?? 'good',
          cause: known?.cause ?? null,
        };
      }),
    ),
    lanes: lanes.map(({ provider, view: { reading }, connections, pacedUntil, lastTakenAt }) => ({
      name: provider.name,
      state: reading.state,
      cause: reading.cause,
      detail: reading.detail,
      since: reading.since,
      next_probe_at: reading.nextProbeAt,
      connections,
      proven_at: reading.provenAt,
      last_taken_at: lastTakenAt,
      paced_until: pacedUntil,
      max_per_hour: provider.maxPerHour ?? null,
      max_per_day: provider.maxPerDay ?? null,
      held_senders: reading.heldSenders.map(({ sender, cause, detail, since, nextProbeAt }) => ({
        sender,
        cause,
        detail,
        since,
        next_probe_at: nextProbeAt,
      })),
    })),
  };
}
