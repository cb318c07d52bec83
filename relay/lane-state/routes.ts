// What all relays know about the routes of a lane: which one is not trusted, since when, and when it is probed.
import type { Queryable } from '../../deploy/database.ts';

/**
 * A route came to nothing while another one worked, or kept swallowing final replies. It is probed after a third
 * of its hold-down, which doubles (up to four hours) when it had been trusted again for less than that.
 *
 * @returns whether that is news
 */
export async function distrustRoute(
  q: Queryable,
  lane: string,
  name: string,
  { state, cause, holdDownMs }: { state: 'bad' | 'stopped'; cause: string; holdDownMs: number },
): Promise<boolean> {
  const { rowCount } = await q.query(
    `update route
     set state = $3, cause = $4, since = now(), good_probes = 0,
         hold_down_seconds = least(14400, case
           when since > now() - hold_down_seconds * interval '1 second' and good_probes > 0 then hold_down_seconds * 2
           else $5::float8 / 1000 end),
         next_probe_at = now() + $5::float8 / 3 * interval '1 millisecond'
     where lane = $1 and name = $2 and state <> $3`,
    [lane, name, state, cause, holdDownMs],
  );
  return rowCount > 0;
}

/** Takes the probes of routes that are due; one relay makes each. */
export async function takeRouteProbes(q: Queryable, lane: string, leaseMs: number): Promise<string[]> {
  const { rows } = await q.query<{ name: string }>(
    `update route set next_probe_at = now() + $2 * interval '1 millisecond'
     where lane = $1 and state <> 'good' and next_probe_at <= now() returning name`,
    [lane, leaseMs],
  );
  return rows.map(({ name }) => name);
}

/** Three good probes, spread over the hold-down, and the route is trusted again. Returns whether it is now. */
export async function recordRouteProbe(
  q: Queryable,
  lane: string,
  name: string,
  isGood: boolean,
): Promise<boolean> {
  const { rows } = await q.query<{ state: string }>(
    `update route
     set state = case when $3 and good_probes >= 2 then 'good' else state end,
         cause = case when $3 and good_probes >= 2 then null else cause end,
         since = case when $3 and good_probes >= 2 then now() else since end,
         uncertain_in_a_row = case when $3 and good_probes >= 2 then 0 else uncertain_in_a_row end,
         good_probes = case when $3 then good_probes + 1 else 0 end,
         next_probe_at = case when $3 and good_probes >= 2 then null
           else now() + hold_down_seconds / 3.0 * interval '1 second' end
     where lane = $1 and name = $2 and state <> 'good'
     returning state`,
    [lane, name, isGood],
  );
  return rows[0]?.state === 'good';
}

/** Counts final replies that never came, one after the other, and returns how many there are by now. */
export async function countSilence(
  q: Queryable,
  lane: string,
  name: string,
  wasSilent: boolean,
): Promise<number> {
  const { rows } = await q.query<{ inARow: number }>(
    `update route set uncertain_in_a_row = case when $3 then uncertain_in_a_row + 1 else 0 end
     where lane = $1 and name = $2 returning uncertain_in_a_row as "inARow"`,
    [lane, name, wasSilent],
  );
  return rows[0]?.inARow ?? 0;
}
