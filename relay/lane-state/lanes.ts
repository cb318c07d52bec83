// What all relays know about the lanes: read by each of them every half second, changed by whoever learns something.
// Every change is one conditional statement that says whether it was the one that changed anything, so that exactly
// one relay alerts.
import type { Queryable } from '../../deploy/database.ts';
import type { ProviderReading, RouteSetting } from '../../deploy/environment.ts';

/** What tells one credential from another; the password itself stays where it is. */
export function laneKey({ name, host, user, fingerprint }: ProviderReading): string {
  return [name, host, user ?? '', fingerprint ?? ''].join(' ').trimEnd();
}

export type LaneState = 'open' | 'paused' | 'stopped' | 'unreachable';

export type LaneReading = {
  readonly key: string;
  readonly state: LaneState;
  readonly cause: string | null;
  readonly detail: string | null;
  readonly since: Date;
  readonly nextProbeAt: Date | null;
  readonly provenAt: Date | null;
  readonly routes: readonly {
    name: string;
    state: 'good' | 'bad' | 'stopped';
    cause: string | null;
    since: string;
    nextProbeAt: string | null;
    isProbeDue: boolean;
    /** Final replies that never came, one after the other. */
    silences: number;
  }[];
  readonly heldSenders: readonly {
    sender: string;
    cause: string;
    detail: string;
    since: string;
    /** RFC 3339; null when it was placed here and has not been read from the database yet. */
    nextProbeAt: string | null;
    stage: string | null;
    isProbeDue: boolean;
  }[];
  readonly isProbeDue: boolean;
};

/** Makes the lanes of this relay known; those that are known already keep their state. */
export async function announceLanes(
  q: Queryable,
  lanes: readonly { key: string; name: string; routes: readonly RouteSetting[] }[],
): Promise<void> {
  await q.query(
    'insert into lane (key, name) select * from unnest($1::text[], $2::text[]) on conflict do nothing',
    [lanes.map(({ key }) => key), lanes.map(({ name }) => name)],
  );
  const routes = lanes.flatMap(({ key, routes }) => routes.map(({ name }) => ({ key, name })));
  await q.query(
    `insert into route (lane, name) select * from unnest($1::text[], $2::text[]) on conflict do nothing`,
    [routes.map(({ key }) => key), routes.map(({ name }) => name)],
  );
}

export async function readLanes(q: Queryable, keys: readonly string[]): Promise<LaneReading[]> {
  const { rows } = await q.query<LaneReading>({
    name: 'read-lanes',
    text: `
      select key, state, cause, detail, since, next_probe_at as "nextProbeAt", proven_at as "provenAt",
        coalesce(next_probe_at <= now(), false) as "isProbeDue",
        coalesce((select json_agg(json_build_object('name', name, 'state', state, 'cause', cause, 'since', since,
            'nextProbeAt', next_probe_at, 'isProbeDue', coalesce(next_probe_at <= now(), false),
            'silences', uncertain_in_a_row))
          from route where route.lane = lane.key), '[]') as routes,
        coalesce((select json_agg(json_build_object('sender', sender, 'cause', cause, 'detail', detail, 'since', since,
            'nextProbeAt', next_probe_at, 'stage', stage, 'isProbeDue', next_probe_at <= now()))
          from sender_hold where sender_hold.lane = lane.key and lifted_at is null), '[]') as "heldSenders"
      from lane where key = any($1)`,
    values: [keys],
  });
  return rows;
}

/**
 * Closes a lane, or keeps it closed after a probe that failed: the wait until the next probe doubles, from
 * `firstMs` to `longestMs`, unless the provider named a time (`untilSeconds`).
 *
 * @returns whether the lane was open before, or closed for another cause: then somebody should be told
 */
export async function closeLane(
  q: Queryable,
  key: string,
  closing: {
    state: Exclude<LaneState, 'open'>;
    cause: string;
    detail: string;
    probeMs: readonly [first: number, longest: number];
    untilSeconds?: number | undefined;
    /** The one who took the probe reports; from others a fault that is known already is no further failure. */
    isProbe: boolean;
  },
): Promise<boolean> {
  const { rows } = await q.query<{ isNews: boolean }>(
    `with before as (select * from lane where key = $1 for update)
     update lane
     set state = $2, cause = $3, detail = $4,
         since = case when before.state = $2 and before.cause = $3 then before.since else now() end,
         probe_failures = case when before.state = 'open' then 0 else before.probe_failures + $8::boolean::integer end,
         next_probe_at = case
           when before.state = $2 and not $8 then before.next_probe_at
           when $7::float8 is not null then now() + $7 * interval '1 second'
           else now() + least($5 * 2 ^ case when before.state = 'open' then 0 else least(before.probe_failures + 1, 20) end, $6)
             * interval '1 millisecond' end
     from before where lane.key = before.key
     returning (before.state, before.cause) is distinct from (lane.state, lane.cause) as "isNews"`,
    [
      key,
      closing.state,
      closing.cause,
      closing.detail,
      ...closing.probeMs,
      closing.untilSeconds ?? null,
      closing.isProbe,
    ],
  );
  return rows[0]?.isNews ?? false;
}

/** @returns whether it was closed before */
export async function openLane(q: Queryable, key: string): Promise<boolean> {
  const { rowCount } = await q.query(
    `update lane set state = 'open', cause = null, detail = null, since = now(), next_probe_at = null, probe_failures = 0
     where key = $1 and state <> 'open'`,
    [key],
  );
  return rowCount > 0;
}

/** Takes the probe that is due, for `leaseMs`: one relay probes, the others wait for what it finds. */
export async function takeProbe(
  q: Queryable,
  key: string,
  leaseMs: number,
): Promise<LaneReading['state'] | undefined> {
  const { rows } = await q.query<{ state: LaneState }>(
    `update lane set next_probe_at = now() + $2 * interval '1 millisecond', probed_at = now()
     where key = $1 and state <> 'open' and next_probe_at <= now() returning state`,
    [key, leaseMs],
  );
  return rows[0]?.state;
}
