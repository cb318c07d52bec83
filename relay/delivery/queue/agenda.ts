// What delivery has to do, and when: asked in one statement, so that a relay with nothing to do need not ask ten.
// Everything is in milliseconds from now by the database's clock: zero or less is due, null is nothing.
import type { Queryable } from '../../../deploy/database.ts';

export type Agenda = {
  /** The next attempt of queued or deferred mail. */
  readonly mail: number | null;
  /** The first lease that runs out, ours or of another relay. */
  readonly lease: number | null;
  /** Uncertain mail that is sent again. */
  readonly uncertain: number | null;
  /** A notice to a submitter. */
  readonly notice: number | null;
  /** A probe of one of these lanes, of their routes, or of a sender that they hold. */
  readonly probe: number | null;
  /** The mail of a restored backup is being held. */
  readonly isRestored: boolean;
  /** Mail waits for a provider to be configured. */
  readonly isUnconfigured: boolean;
  /** Senders are free again, or held by credentials that these lanes are not: their mail may have to be released. */
  readonly hasHolds: boolean;
};

/** @param lanes keys of the lanes of this relay */
export async function readAgenda(q: Queryable, lanes: readonly string[]): Promise<Agenda> {
  const { rows } = await q.query<Agenda>({
    name: 'read-agenda',
    // Each of these is the first entry of an index that holds what waits, and nothing of what is finished.
    text: `
      select
        (extract(epoch from mail - asked_at) * 1000)::float8 as mail,
        (extract(epoch from lease - asked_at) * 1000)::float8 as lease,
        (extract(epoch from uncertain - asked_at) * 1000)::float8 as uncertain,
        (extract(epoch from notice - asked_at) * 1000)::float8 as notice,
        (extract(epoch from probe - asked_at) * 1000)::float8 as probe,
        "isRestored", "isUnconfigured", "hasHolds"
      from (
        select
          clock_timestamp() as asked_at,
          (select min(next_attempt_at) from unnest('{0,1,2,3,4,5,6,7,8,9}'::smallint[]) as level (priority)
           cross join lateral (
             select next_attempt_at from recipient r
             where r.status in ('queued', 'deferred') and r.priority = level.priority
             order by r.next_attempt_at limit 1
           ) first) as mail,
          (select lease_until from recipient where status = 'sending' order by lease_until limit 1) as lease,
          (select next_attempt_at from recipient
           where status = 'uncertain' and next_attempt_at is not null order by next_attempt_at limit 1) as uncertain,
          (select due_at from notice_owed order by due_at limit 1) as notice,
          least(
            (select min(next_probe_at) from lane where key = any($1) and state <> 'open'),
            (select min(next_probe_at) from route where lane = any($1) and state <> 'good'),
            (select min(h.next_probe_at) from sender_hold h join lane l on l.key = h.lane
             where h.lane = any($1) and h.lifted_at is null and l.state = 'open')) as probe,
          exists (select from database_identity where restored_at is not null) as "isRestored",
          exists (select from recipient where status = 'held' and reason = 'not-configured') as "isUnconfigured",
          exists (select from sender_hold where lifted_at is not null or lane <> all($1)) as "hasHolds"
      ) as agenda`,
    values: [lanes],
  });
  const [agenda] = rows;
  if (!agenda) throw new Error('PostgreSQL did not say what there is to do');
  return agenda;
}

/**
 * When the first of it is due, in milliseconds; undefined when nothing is. A system that waits for this may sleep until
 * then: mail for a lane that is closed is due, so it keeps it awake.
 */
export function nextDueMs(
  { mail, lease, uncertain, notice, probe, isRestored, isUnconfigured }: Agenda,
  { isConfigured, hasFrom }: { isConfigured: boolean; hasFrom: boolean },
): number | undefined {
  if (isRestored || (isConfigured && isUnconfigured)) return 0;
  // Without a From no notice can be written, and without a provider no mail be sent.
  const times = [isConfigured ? mail : null, lease, uncertain, hasFrom ? notice : null, probe];
  const next = Math.min(...times.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}
