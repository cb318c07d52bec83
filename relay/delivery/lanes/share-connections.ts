// Reads the state of the lanes and leases this relay's share of their connections.
import type { Queryable } from '../../../deploy/database.ts';
import { readLanes } from '../../lane-state/lanes.ts';
import type { DeliveryContext } from '../context.ts';
import type { Lane } from './lane.ts';
import { leaseSlots, type Met, meetReplicas, shareOf } from './share.ts';

/** Takes what the database knows about the lanes. */
export async function refreshLanes(q: Queryable, lanes: readonly Lane[]): Promise<void> {
  const epochs = lanes.map(({ view }) => view.epoch);
  const readings = await readLanes(
    q,
    lanes.map(({ key }) => key),
  );
  for (const [index, lane] of lanes.entries()) {
    const reading = readings.find(({ key }) => key === lane.key);
    if (reading) lane.absorb(reading, epochs[index] ?? 0);
  }
}

export type Share = {
  readonly met: Met;
  /** Connections of each lane that are this relay's. */
  readonly slots: readonly number[];
};

/** Counts once `q` is committed. @param busy whether this relay has mail for its connections */
export async function shareConnections(
  { instance, timeouts: { leaseMs, quietMs } }: DeliveryContext,
  q: Queryable,
  lanes: readonly Lane[],
  busy: boolean,
): Promise<Share | undefined> {
  if (lanes.length === 0) return undefined;
  const met = await meetReplicas(q, { instance, busy }, { leaseMs, quietMs });
  const slots: number[] = [];
  for (const { key, provider, active } of lanes) {
    const total = provider.maxConnections;
    const wanted = shareOf(total, met.replicas, instance);
    const leased = await leaseSlots(q, {
      lane: key,
      instance,
      total,
      wanted,
      inUse: active,
      // What a killed relay had must be free long before its mail is given up. One that has no mail looks rarely, and
      // beside others it has one connection.
      leaseMs: leaseMs / 2 + (busy ? 0 : quietMs),
    });
    slots.push(leased);
  }
  return { met, slots };
}
