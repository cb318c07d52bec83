// Connections are counted per credential, and several relays share one: each slot is leased by one of them.
import type { Queryable } from '../../../deploy/database.ts';

export type Replica = { readonly instance: string; readonly busy: boolean };

/**
 * How many of `total` connections a relay may have. Everybody gets one, so that mail accepted anywhere leaves at
 * once; the rest goes to those who have something to do. With more relays than connections the last ones get none,
 * and the others carry their mail.
 */
export function shareOf(total: number, replicas: readonly Replica[], instance: string): number {
  const order = [...replicas].sort((a, b) => (a.instance < b.instance ? -1 : 1));
  const rank = order.findIndex((replica) => replica.instance === instance);
  if (rank < 0) return 0;
  if (order.length >= total) return rank < total ? 1 : 0;
  const rest = total - order.length;
  const takers = order.length === 1 ? order : order.filter(({ busy }) => busy);
  const place = takers.findIndex((replica) => replica.instance === instance);
  if (place < 0) return 1;
  return 1 + Math.floor(rest / takers.length) + (place < rest % takers.length ? 1 : 0);
}

export type Met = {
  /** All that live. */
  readonly replicas: readonly Replica[];
  /** When this relay said that it lives, now and the time before, as this database knows it. */
  readonly seenAt: Date;
  readonly previousSeenAt: Date | null;
};

/**
 * Says that this relay lives and whether it has mail waiting.
 *
 * @param leaseMs how long a busy one counts as alive after it said so
 * @param quietMs one that has nothing to do speaks only this often
 */
export async function meetReplicas(
  q: Queryable,
  { instance, busy }: Replica,
  { leaseMs, quietMs }: { leaseMs: number; quietMs: number },
): Promise<Met> {
  type Row = Replica & { seenAt: Date | null; previousSeenAt: Date | null };
  const { rows } = await q.query<Row>({
    name: 'meet-replicas',
    text: `
      with before as (
        select seen_at from lane_replica where instance = $1
      ), me as (
        insert into lane_replica (instance, busy) values ($1, $2)
        on conflict (instance) do update set busy = excluded.busy, seen_at = now()
        returning instance, busy, seen_at
      ), gone as (
        delete from lane_replica where seen_at < now() - interval '2 days'
      )
      select instance, busy, seen_at as "seenAt", (select seen_at from before) as "previousSeenAt" from me
      union all
      select instance, busy, null, null from lane_replica
      where instance <> $1
        and seen_at > now() - ($3::float8 + case when busy then 0 else $4::float8 end) * interval '1 millisecond'`,
    values: [instance, busy, leaseMs, quietMs],
  });
  const [me] = rows;
  if (!me?.seenAt) throw new Error('PostgreSQL did not keep that this relay lives');
  return { replicas: rows, seenAt: me.seenAt, previousSeenAt: me.previousSeenAt };
}

/**
 * Leases `wanted` of the slots of a lane: renews what is ours, takes what is free, leaves what is too much.
 *
 * @param inUse what cannot be left yet, because a mail is on it
 * @returns how many are ours now
 */
export async function leaseSlots(
  q: Queryable,
  {
    lane,
    instance,
    total,
    wanted,
    inUse,
    leaseMs,
  }: { lane: string; instance: string; total: number; wanted: number; inUse: number; leaseMs: number },
): Promise<number> {
  const keep = Math.max(wanted, inUse);
  const { rows } = await q.query<{ slots: number }>({
    name: 'lease-slots',
    text: `
      with locked as materialized (
        select slot from connection_slot where lane = $1 and instance = $2 order by slot for update
      ), mine as materialized (
        select slot, row_number() over (order by slot) as position from locked
      ), renewed as (
        update connection_slot s set lease_until = now() + $5 * interval '1 millisecond'
        from mine where s.lane = $1 and s.slot = mine.slot and mine.position <= $4
        returning s.slot
      ), left_over as (
        delete from connection_slot s using mine where s.lane = $1 and s.slot = mine.slot and mine.position > $4
      ), taken as (
        insert into connection_slot as s (lane, slot, instance, lease_until)
        select $1, slot, $2, now() + $5 * interval '1 millisecond'
        from generate_series(1, $3::integer) as slot
        where not exists (select from mine where mine.slot = slot.slot)
          and not exists (select from connection_slot o where o.lane = $1 and o.slot = slot.slot and o.lease_until >= now())
        order by slot
        limit greatest($4 - (select count(*) from mine), 0)
        on conflict (lane, slot) do update set instance = excluded.instance, lease_until = excluded.lease_until
        where s.lease_until < now()
        returning s.slot
      )
      select ((select count(*) from renewed) + (select count(*) from taken))::integer as slots`,
    values: [lane, instance, total, keep, leaseMs],
  });
  return rows[0]?.slots ?? 0;
}

/** Gives everything back at the end, so that others need not wait for the lease to run out. */
export async function leaveSlots(q: Queryable, instance: string): Promise<void> {
  await q.query(
    `with slots as (delete from connection_slot where instance = $1) delete from lane_replica where instance = $1`,
    [instance],
  );
}
