// Senders that a provider refuses: held by all relays, probed by one, free again when the provider takes them.
import type { Queryable } from '../../deploy/database.ts';

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
export async function senderWasTaken(
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
