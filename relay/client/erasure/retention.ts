// What is kept for how long. Everything here works in small batches and may be repeated or run twice at once: each
// function does one batch and says how many mails it dealt with. Those that look at more than they take are told where to begin and answer where to go on.
import type { Queryable } from '../../../deploy/database.ts';

/** Mails per statement: short transactions, so that nothing waits behind housekeeping. */
export const batchSize = 500;

/** And their bytes: PostgreSQL removes about 100 MB a second, and a statement of ours may take 30. */
const batchBytes = 128 * 1024 * 1024;

export type Batch = {
  readonly count: number;
  /** None is left. */
  readonly isEnd: boolean;
};

type BatchRow = { count: number; is_end: boolean };

/** Of the candidates as many, in their order, as stay within the bytes, and at least one. */
const old = `old as materialized (
    select id, queue_id from (
      select id, queue_id, sum(bytes) over (order by finished_at, id) - bytes as before from (
        select c.*,
          coalesce((select size from message m where m.queue_id = c.queue_id), 0)
            + coalesce((select sum(octet_length(content)) from email_attachment a where a.email_id = c.id), 0) as bytes
        from candidates c
      ) sized
    ) summed where before < ${batchBytes}
  )`;

const outcome = `outcome as (
    select o.count::integer, o.count = c.count and c.count < ${batchSize} as is_end
    from (select count(*) from old) o, (select count(*) from candidates) c
  )`;

/** Erases the bodies of emails that were finished `olderThanSeconds` ago. The rows stay to tell what happened. */
export async function eraseBodies(q: Queryable, olderThanSeconds: number): Promise<Batch> {
  const { rows } = await q.query<BatchRow>(
    `with candidates as materialized (
       select id, queue_id, finished_at from email
       where finished_at < now() - make_interval(secs => $1) and erased_at is null
       order by finished_at limit ${batchSize}
       for no key update skip locked
     ), ${old}, erased as (
       update email e set text_body = null, html_body = null, erased_at = now()
       from old where e.id = old.id
     ), attachments as (
       delete from email_attachment a using old where a.email_id = old.id
     ), parts as (
       delete from message_part p using old where p.queue_id = old.queue_id
     ), ${outcome} select * from outcome`,
    [olderThanSeconds],
  );
  return batchOf(rows[0]);
}

/** Forgets emails that were finished `olderThanSeconds` ago, with all that the relay and the timeline know of them. */
export async function forgetEmails(q: Queryable, olderThanSeconds: number): Promise<Batch> {
  const { rows } = await q.query<BatchRow>(
    `with candidates as materialized (
       select id, queue_id, finished_at from email
       where finished_at < now() - make_interval(secs => $1)
       order by finished_at limit ${batchSize}
       for update skip locked
     ), ${old}, parts as (
       delete from message_part p using old where p.queue_id = old.queue_id
     ), events as (
       delete from event v using old where v.email_id = old.id
     ), emails as (
       delete from email e using old where e.id = old.id
     ), ${outcome} select * from outcome`,
    [olderThanSeconds],
  );
  return batchOf(rows[0]);
}

const batchOf = (row: BatchRow | undefined): Batch => ({
  count: row?.count ?? 0,
  isEnd: row?.is_end ?? true,
});

/** A place in the order in which recipients were finished. */
export type Place = readonly [finishedAt: string, queueId: string, ordinal: number];

export const firstPlace: Place = ['-infinity', '', -1];

export type Step<P> = Batch & {
  /** Where the next step goes on. */
  readonly reached: P;
};

type StepRow = BatchRow & {
  finished_at: string;
  an_hour_before: string;
  queue_id: string;
  ordinal: number;
};

// By the time when recipients were finished, which has an index already: one by the time of receipt would cost every
// mail a write, and mail that waits for ever would stand at its front. What a step leaves is passed by the next.
const seen = `candidates as materialized (
    select queue_id, ordinal, email_id, finished_at from recipient
    where finished_at >= $1 and (finished_at, queue_id, ordinal) > ($1, $2, $3)
      and finished_at < now() - make_interval(secs => $4)
    order by finished_at, queue_id, ordinal limit ${batchSize}
  ), seen as materialized (
    select queue_id, ordinal, email_id, finished_at from (
      select s.*, sum(bytes) over (order by finished_at, queue_id, ordinal) - bytes as before from (
        select c.*, case row_number() over (partition by queue_id order by finished_at, ordinal)
          when 1 then m.size else 0 end as bytes
        from candidates c join message m using (queue_id)
      ) s
    ) summed where before < ${batchBytes}
  ), over as materialized (
    select queue_id from (select distinct queue_id from seen where email_id is null) s
    where not exists (
      select from recipient r
      where r.queue_id = s.queue_id
        and (r.finished_at is null or r.finished_at >= now() - make_interval(secs => $4))
    )
  )`;

const reached = `reached as (
    select (select count(*) from old)::integer as count,
      (select count(*) from seen) = c.count and c.count < ${batchSize} as is_end,
      seen.finished_at::text, (seen.finished_at - interval '1 hour')::text as an_hour_before, queue_id, ordinal
    from seen, (select count(*) from candidates) c
    order by seen.finished_at desc, queue_id desc, ordinal desc limit 1
  )`;

/** For as long a repeated submission has to answer with the queue id of the first (relay/submission/repeat.ts). */
const repeatsSeconds = 24 * 3_600;

/**
 * Forgets messages that applications submitted over SMTP and that were finished for all of their recipients
 * `olderThanSeconds` ago, and at least a day: those among the recipients that were finished next after `from`.
 */
export async function forgetMessages(
  q: Queryable,
  { from, olderThanSeconds }: { from: Place; olderThanSeconds: number },
): Promise<Step<Place>> {
  const { rows } = await q.query<StepRow>(
    `with ${seen}, old as materialized (
       select queue_id from message where queue_id in (select queue_id from over) for update skip locked
     ), parts as (
       delete from message_part p using old where p.queue_id = old.queue_id
     ), events as (
       delete from event v using old where v.queue_id = old.queue_id and v.email_id is null
     ), messages as (
       delete from message m using old where m.queue_id = old.queue_id
     ), ${reached} select * from reached`,
    [...from, Math.max(olderThanSeconds, repeatsSeconds)],
  );
  return stepOf(from, rows[0]);
}

function stepOf(from: Place, row: StepRow | undefined): Step<Place> {
  if (!row) return { count: 0, reached: from, isEnd: true };
  const { count, is_end: isEnd } = row;
  // What was finished earlier but is committed later comes before the end: a transaction lasts a minute at most.
  const reached: Place = isEnd ? [row.an_hour_before, '', -1] : [row.finished_at, row.queue_id, row.ordinal];
  return { count, reached, isEnd };
}

/** Stored parts of messages that one step looks at. */
export const partsBatch = 2_000;

export type PartPlace = readonly [queueId: string, part: number];

export const firstPart: PartPlace = ['', -1];

/**
 * Erases the bytes of messages that applications submitted over SMTP and that were finished for all of their recipients
 * `olderThanSeconds` ago: those among the parts that are stored next after `from`. By the parts, which are few: who
 * looked for them among all recipients would walk over months of them whose bytes are gone, after every start.
 * A message that was received later cannot be old enough, so a step that sees only such messages is the last.
 */
export async function eraseMessages(
  q: Queryable,
  { from, olderThanSeconds }: { from: PartPlace; olderThanSeconds: number },
): Promise<Step<PartPlace>> {
  const { rows } = await q.query<{ count: number; is_end: boolean; queue_id: string; part: number }>(
    `with seen as materialized (
       select queue_id, part from message_part
       where (queue_id, part) > ($1, $2) order by queue_id, part limit $3
     ), mails as materialized (
       select queue_id, part, email_id, is_old, sum(bytes) over (order by queue_id) - bytes as before from (
         select s.queue_id, s.part, m.email_id, m.received_at < now() - make_interval(secs => $4) as is_old,
           case when m.email_id is null and m.received_at < now() - make_interval(secs => $4) then m.size else 0 end as bytes
         from (select queue_id, max(part) as part from seen group by queue_id) s left join message m using (queue_id)
       ) sized
     ), looked_at as materialized (
       select * from mails where before < ${batchBytes}
     ), old as materialized (
       select queue_id from looked_at l
       where email_id is null and is_old and not exists (
         select from recipient r
         where r.queue_id = l.queue_id
           and (r.finished_at is null or r.finished_at >= now() - make_interval(secs => $4)))
     ), erased as (
       delete from message_part p using old where p.queue_id = old.queue_id
     )
     select (select count(*) from old)::integer as count, queue_id, part,
       (select count(*) from looked_at) = (select count(*) from mails)
         and ((select count(*) from seen) < $3 or (select not bool_or(is_old is distinct from false) from mails)) as is_end
     from looked_at order by queue_id desc limit 1`,
    [...from, partsBatch, olderThanSeconds],
  );
  const row = rows[0];
  if (!row) return { count: 0, reached: from, isEnd: true };
  return { count: row.count, reached: [row.queue_id, row.part], isEnd: row.is_end };
}

/**
 * Looks at the parts that are stored next after `from` and deletes those whose message was never committed (their
 * client vanished, or their relay was killed) and to which nothing was added for an hour by the database's clock.
 */
export async function sweepParts(q: Queryable, from: PartPlace): Promise<Step<PartPlace>> {
  const { rows } = await q.query<{ seen: number; count: number; queue_id: string; part: number }>(
    `with seen as materialized (
       select queue_id, part from message_part
       where (queue_id, part) > ($1, $2) order by queue_id, part limit $3
     ), useless as materialized (
       select s.queue_id from (select distinct queue_id from seen) s
       where not exists (select from message m where m.queue_id = s.queue_id) and not exists (
         -- A client that vanished in the middle of DATA is noticed within minutes.
         select from message_part p where p.queue_id = s.queue_id and p.stored_at > now() - interval '1 hour'
       )
     ), furthest as materialized (
       select queue_id, part from seen order by queue_id desc, part desc limit 1
     ), deleted as (
       -- No more than was looked at: a message may have many parts.
       delete from message_part p using useless u
       where p.queue_id = u.queue_id and (p.queue_id, p.part) > ($1, $2)
         and (p.queue_id, p.part) <= (select queue_id, part from furthest)
     )
     select (select count(*) from seen)::integer as seen, (select count(*) from useless)::integer as count, queue_id, part
     from furthest`,
    [...from, partsBatch],
  );
  const row = rows[0];
  if (!row) return { count: 0, reached: from, isEnd: true };
  return { count: row.count, reached: [row.queue_id, row.part], isEnd: row.seen < partsBatch };
}

/** Forgets submission keys whose time is over; they made repeated submissions answer with the same queue id. */
export async function forgetSubmissionKeys(q: Queryable): Promise<number> {
  const { rowCount } = await q.query(
    `delete from submission where (credential, key) in (
       select credential, key from submission where at + lasts < now() order by at limit $1
     )`,
    [batchSize],
  );
  return rowCount;
}

/** Forgets processes that were last seen a day ago, but never the last relay: what it reported is still asked for. */
export async function forgetHeartbeats(q: Queryable): Promise<number> {
  const { rowCount } = await q.query(
    `delete from heartbeat h
     where seen_at < now() - interval '1 day'
       and exists (select from heartbeat later where later.process = h.process and later.seen_at > h.seen_at)`,
  );
  return rowCount;
}

/** The newest are kept: one for each login and network that it came from. */
const mostLoginProofs = 10_000;

/** Forgets logins of submitters: failures that count no longer, and proofs that are older than 30 days. */
export async function forgetLogins(q: Queryable): Promise<number> {
  const { rowCount } = await q.query(
    `delete from login_failure where key in (
       select key from login_failure where since < now() - interval '1 hour' order by since limit $1
     )`,
    [batchSize],
  );
  const { rowCount: proofs } = await q.query(
    `delete from login_proof
     where succeeded_at < greatest(
         now() - interval '30 days',
         (select succeeded_at from login_proof order by succeeded_at desc offset $1 limit 1)
       )
       and succeeded_at <= coalesce(
         (select succeeded_at from login_proof order by succeeded_at offset $2 limit 1), 'infinity')`,
    [mostLoginProofs, batchSize],
  );
  return Math.max(rowCount, proofs);
}
