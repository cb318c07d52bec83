// Reads the state of the lanes and leases this relay's share of their connections.
import { readLanes } from '../../lane-state/lanes.ts';
import type { DeliveryContext } from '../context.ts';
import type { Lane } from './lane.ts';
import { leaseSlots, type Met, meetReplicas, shareOf } from './share.ts';

/** Takes what the database knows about the lanes. */
export async function refreshLanes({ database }: DeliveryContext, lanes: readonly Lane[]): Promise<void> {
  const epochs = lanes.map(({ view }) => view.epoch);
  const readings = await readLanes(
    database,
    lanes.map(({ key }) => key),
  );
  for (const [index, lane] of lanes.entries()) {
    const reading = readings.find(({ key }) => key === lane.key);
    if (reading) lane.absorb(reading, epochs[index] ?? 0);
  }
}

/** @param busy whether this relay has mail for its connections */
export async function shareConnections(
  { database, instance, timeouts: { leaseMs } }: DeliveryContext,
  lanes: readonly Lane[],
  busy: boolean,
): Promise<Met | undefined> {
  if (lanes.length === 0) return undefined;
  const met = await meetReplicas(database, { instance, busy }, leaseMs);
  const { replicas } = met;
  for (const lane of lanes) {
    const total = lane.provider.maxConnections;
    lane.slots = await leaseSlots(database, {
      lane: lane.key,
      instance,
      total,
      wanted: shareOf(total, replicas, instance),
      inUse: lane.active,
      // Renewed twice a second. What a killed relay had must be free long before its mail is given up.
      leaseMs: leaseMs / 2,
    });
  }
  return met;
}
