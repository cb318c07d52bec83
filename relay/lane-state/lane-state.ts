// What all relays know about the lanes: read by each of them every half second, changed by whoever learns something.
// Every change is one conditional statement that says whether it was the one that changed anything, so that exactly
// one relay alerts.
import type { Queryable } from '../../deploy/database.ts';
import { every } from '../../deploy/repeat.ts';
import type { Route } from '../delivery/settings.ts';

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
  lanes: readonly { key: string; name: string; routes: readonly Route[] }[],
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

/** As long as the lease of a mail. */
const authLeaseMs = 8_000;

/**
 * Asks for the one AUTH that may be under way. `closed` means that the lane was closed meanwhile: no AUTH then,
 * unless it is the probe's.
 */
export async function takeAuth(
  q: Queryable,
  key: string,
  { instance, isProbe }: { instance: string; isProbe: boolean },
): Promise<'granted' | 'busy' | 'closed'> {
  const { rows } = await q.query<{ granted: boolean; isClosed: boolean }>(
    `with asked as (
       update lane set auth_by = $2, auth_until = now() + $3 * interval '1 millisecond'
       where key = $1 and (state = 'open' or $4)
         and (auth_until is null or auth_until < now())
       returning key
     )
     select exists (select from asked) as granted, state <> 'open' and not $4 as "isClosed" from lane where key = $1`,
    [key, instance, authLeaseMs, isProbe],
  );
  const row = rows[0];
  return row?.granted ? 'granted' : row?.isClosed ? 'closed' : 'busy';
}

/**
 * Keeps the permission while the AUTH is under way, for as long as one may take and no longer; the returned function
 * ends that. The lease is short because a permission can be granted to nobody: to a relay that was killed, or one that
 * never got the answer. Without the database the lease runs out, but then nobody else can take it either.
 *
 * @param timeoutSeconds SMTP_TIMEOUT; an AUTH has twice that
 */
export function keepAuth(
  q: Queryable,
  key: string,
  { instance, timeoutSeconds }: { instance: string; timeoutSeconds: number },
): () => void {
  const until = performance.now() + timeoutSeconds * 2_000 + 5_000;
  const renew = async () => {
    if (performance.now() > until) return void renewing.stop();
    await q
      .query(
        `update lane set auth_until = now() + $3 * interval '1 millisecond' where key = $1 and auth_by = $2`,
        [key, instance, authLeaseMs],
      )
      .catch(() => {});
  };
  const renewing = every(authLeaseMs / 3, renew, { first: 'after a pause' });
  return () => void renewing.stop();
}

export async function leaveAuth(q: Queryable, key: string, instance: string, worked: boolean): Promise<void> {
  await q.query(
    `update lane set auth_by = null, auth_until = null, proven_at = case when $3 then now() else proven_at end
     where key = $1 and auth_by = $2`,
    [key, instance, worked],
  );
}

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

/**
 * Holds the mail of a sender. Several mails of one sender are refused at the same time when a provider stops taking it:
 * that is one refusal, and only a probe that is refused makes the wait until the next one longer. For six hours the wait
 * is at most 45 seconds: whoever repairs it sees the mail leave within a minute. After that each probe would only make the
 * timeline longer.
 *
 * @returns whether that sender was not held before
 */
export async function holdSender(
  q: Queryable,
  lane: string,
  {
    sender,
    cause,
    detail,
    stage,
    probeMs,
    isProbe,
  }: {
    sender: string;
    cause: string;
    detail: string;
    stage: string;
    probeMs: readonly [first: number, longest: number];
    isProbe: boolean;
  },
): Promise<boolean> {
  const { rows } = await q.query<{ isNew: boolean }>(
    `with before as (select lifted_at from sender_hold where lane = $1 and sender = $2)
     insert into sender_hold as h (lane, sender, cause, causes, detail, stage, next_probe_at)
     values ($1, $2, $3, array[$3], $4, $7, now() + $5 * interval '1 millisecond')
     on conflict (lane, sender) do update
     set cause = excluded.cause, detail = excluded.detail, stage = excluded.stage, lifted_at = null,
         causes = array(select distinct unnest(h.causes || h.cause || excluded.cause)),
         since = case when h.lifted_at is null then h.since else now() end,
         probe_failures = case when h.lifted_at is null then h.probe_failures + $8::boolean::integer else 0 end,
         next_probe_at = case
           when h.lifted_at is not null then excluded.next_probe_at
           when $8 then now() + least($5 * 2 ^ least(h.probe_failures + 1, 20), $6,
             case when h.since > now() - interval '6 hours' then greatest($5, 45000) else $6 end) * interval '1 millisecond'
           else h.next_probe_at end
     returning not exists (select from before where lifted_at is null) as "isNew"`,
    [lane, sender, cause, detail, ...probeMs, stage, isProbe],
  );
  return rows[0]?.isNew ?? false;
}

/**
 * Takes the probe that is due: one mail of the sender, and for `leaseMs` no other. While a mail that a person tried again
 * is on its way here, it alone may be the probe.
 *
 * @param queueId the mail that would be the probe, when it is chosen already
 */
export async function takeSenderProbe(
  q: Queryable,
  lane: string,
  { sender, queueId, leaseMs }: { sender: string; queueId?: string; leaseMs: number },
): Promise<boolean> {
  const { rowCount } = await q.query(
    `update sender_hold h set next_probe_at = now() + $3 * interval '1 millisecond', asked_for = null
     where lane = $1 and sender = $2 and lifted_at is null and next_probe_at <= now()
       and (asked_for is null or asked_for = $4 or not exists (
         select from recipient r where r.queue_id = h.asked_for and r.status in ('queued', 'sending')))`,
    [lane, sender, leaseMs, queueId ?? null],
  );
  return rowCount > 0;
}

/**
 * Lifts the hold on a sender. Its mail follows with `releaseLifted`.
 *
 * @returns whether it was held
 */
export async function liftHold(q: Queryable, lane: string, sender: string): Promise<boolean> {
  const { rowCount } = await q.query(
    'update sender_hold set lifted_at = now() where lane = $1 and sender = $2 and lifted_at is null',
    [lane, sender],
  );
  return rowCount > 0;
}

/** A probe told nothing about the sender, because something else was wrong with its mail: the next mail is the probe. */
export async function probeAgain(q: Queryable, lane: string, sender: string): Promise<void> {
  await q.query(
    'update sender_hold set next_probe_at = now() where lane = $1 and sender = $2 and lifted_at is null',
    [lane, sender],
  );
}

/**
 * The provider took this sender at these stages, from somebody who sends no mail: the doctor. Lifts a hold that was
 * placed at one of them, and the relay releases its mail; where a later stage had refused, the next mail finds out at once.
 *
 * @returns whether the sender was held and is not any more
 */
export async function hearOfSender(
  q: Queryable,
  lane: string,
  { sender, taken }: { sender: string; taken: readonly ('mail' | 'rcpt')[] },
): Promise<boolean> {
  const { rows } = await q.query<{ isLifted: boolean }>(
    `update sender_hold
     set lifted_at = case when stage = any($3) then now() end, next_probe_at = now()
     where lane = $1 and lower(sender) = lower($2) and lifted_at is null
     returning lifted_at is not null as "isLifted"`,
    [lane, sender, taken],
  );
  return rows.some((row) => row.isLifted);
}

/** Lifts the holds of lanes that no relay uses any more: a new credential may be allowed what the old one was not. */
export async function liftHoldsOfForeignLanes(q: Queryable, lanes: readonly string[]): Promise<void> {
  await q.query(
    `update sender_hold h set lifted_at = now()
     where lifted_at is null and lane <> all($1)
       and not exists (select from connection_slot s where s.lane = h.lane and s.lease_until > now())`,
    [lanes],
  );
}

/** Held mail looked at in one statement. */
const liftedBatch = 1_000;

/**
 * Puts the held mail of senders that are free again back into the queue, a batch of held mail at a time. To be repeated
 * for a while after a hold was lifted: a relay that had not heard of it yet may have put more mail aside meanwhile.
 *
 * @param released hears after each batch how many recipients it released
 */
export async function releaseLifted(
  q: Queryable,
  { signal, released = () => {} }: { signal: AbortSignal; released?: (recipients: number) => void },
): Promise<number> {
  await q.query("delete from sender_hold where lifted_at < now() - interval '1 day'");
  const { rows: causes } = await q.query<{ cause: string }>(
    'select distinct unnest(causes || cause) as cause from sender_hold where lifted_at is not null',
  );
  let total = 0;
  for (const { cause } of causes) {
    let after: SeenHeld | undefined = { queueId: '', ordinal: 0, recipients: 0 };
    while (after && !signal.aborted) {
      after = await releaseLiftedAfter(q, cause, after);
      total += after?.recipients ?? 0;
      if (after) released(after.recipients);
    }
  }
  return total;
}

type SeenHeld = { queueId: string; ordinal: number; recipients: number };

/** Looks at the next batch of what is held for this cause. Undefined when there is none. */
async function releaseLiftedAfter(
  q: Queryable,
  cause: string,
  after: SeenHeld,
): Promise<SeenHeld | undefined> {
  const { rows } = await q.query<SeenHeld>(
    `with seen as materialized (
       select queue_id, ordinal from recipient
       where status = 'held' and reason = $1 and (queue_id, ordinal) > ($2, $3)
       order by reason, queue_id, ordinal limit $4
     ), ours as materialized (
       select r.queue_id, r.ordinal
       from seen join recipient r using (queue_id, ordinal) join message m using (queue_id)
       where r.status = 'held' and r.reason = $1 and r.marked_at is null
         and exists (
           select from sender_hold h
           where $1 = any(h.causes || h.cause) and h.lifted_at is not null and h.sender in (m.sender, m.header_from)
             and not exists (
               select from sender_hold held
               where held.sender = h.sender and $1 = any(held.causes || held.cause) and held.lifted_at is null))
       for update of r skip locked
     ), released as (
       update recipient r set status = 'queued', next_attempt_at = now(), reason = null, reason_detail = null
       from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal
       returning r.queue_id, r.address, r.email_id
     ), told as (
       insert into event (type, queue_id, email_id, recipient, detail)
       select 'released', queue_id, email_id, address, '{"cause": "sender-free"}' from released
     )
     select queue_id as "queueId", ordinal, (select count(*)::integer from released) as recipients
     from seen order by queue_id desc, ordinal desc limit 1`,
    [cause, after.queueId, after.ordinal, liftedBatch],
  );
  return rows[0];
}
