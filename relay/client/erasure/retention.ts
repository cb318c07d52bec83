// What is kept for how long. Everything here works in small batches and may be repeated or run twice at once: each
// function does one batch and says how many mails it dealt with; fewer than the batch size means that it is done.
import type { Queryable } from '../../../deploy/database.ts';

/** Mails per statement: short transactions, so that nothing waits behind housekeeping. */
export const batchSize = 500;

/** Erases the bodies of emails that were finished `olderThanSeconds` ago. The rows stay to tell what happened. */
export async function eraseBodies(q: Queryable, olderThanSeconds: number): Promise<number> {
  const { rows } = await q.query<{ emails: number }>(
    `with old as (
       select id, queue_id from email
       where finished_at < now() - make_interval(secs => $1) and erased_at is null
       order by finished_at limit $2
       for no key update skip locked
     ), erased as (
       update email e set text_body = null, html_body = null, erased_at = now()
       from old where e.id = old.id
     ), attachments as (
       delete from email_attachment a using old where a.email_id = old.id
     ), parts as (
       delete from message_part p using old where p.queue_id = old.queue_id
     )
     select count(*) as emails from old`,
    [olderThanSeconds, batchSize],
  );
  return rows[0]?.emails ?? 0;
}

/** Forgets emails that were finished `olderThanSeconds` ago, with all that the relay and the timeline know of them. */
export async function forgetEmails(q: Queryable, olderThanSeconds: number): Promise<number> {
  const { rows } = await q.query<{ emails: number }>(
    `with old as (
       select id, queue_id from email
       where finished_at < now() - make_interval(secs => $1)
       order by finished_at limit $2
       for update skip locked
     ), parts as (
       delete from message_part p using old where p.queue_id = old.queue_id
     ), events as (
       delete from event v using old where v.email_id = old.id
     ), emails as (
       delete from email e using old where e.id = old.id
     )
     select count(*) as emails from old`,
    [olderThanSeconds, batchSize],
  );
  return rows[0]?.emails ?? 0;
}

/**
 * Forgets messages that applications submitted over SMTP and that were finished for all of their recipients
 * `olderThanSeconds` ago.
 */
export async function forgetMessages(q: Queryable, olderThanSeconds: number): Promise<number> {
  const { rows } = await q.query<{ messages: number }>(
    `with old as (
       select m.queue_id from message m
       where m.email_id is null
         and m.received_at < now() - make_interval(secs => $1)
         and not exists (
           select from recipient r
           where r.queue_id = m.queue_id
             and (r.finished_at is null or r.finished_at > now() - make_interval(secs => $1))
         )
       order by m.received_at limit $2
       for update skip locked
     ), parts as (
       delete from message_part p using old where p.queue_id = old.queue_id
     ), events as (
       delete from event v using old where v.queue_id = old.queue_id and v.email_id is null
     ), messages as (
       delete from message m using old where m.queue_id = old.queue_id
     )
     select count(*) as messages from old`,
    [olderThanSeconds, batchSize],
  );
  return rows[0]?.messages ?? 0;
}

/**
 * Looks at the next batch of stored message bytes, in queue-id order from `after`, and deletes those that nobody
 * needs: parts whose message was never committed (their client vanished, or their relay was killed) and to which
 * nothing was added for an hour by the database's clock, and the bytes of submitted messages finished
 * `olderThanSeconds` ago. Answers where to go on, or undefined at the end.
 */
export async function sweepParts(
  q: Queryable,
  { after, olderThanSeconds }: { after: string; olderThanSeconds: number },
): Promise<string | undefined> {
  const { rows } = await q.query<{ last: string | null; seen: number }>(
    `with seen as (
       select p.queue_id from message_part p
       where p.part = 0 and p.queue_id > $1
       order by p.queue_id limit $2
     ), useless as (
       -- No message, or one that was submitted, and no recipient left who needs the bytes.
       select s.queue_id from seen s left join message m using (queue_id)
       where m.email_id is null and not exists (
         select from recipient r
         where r.queue_id = s.queue_id
           and (r.finished_at is null or r.finished_at > now() - make_interval(secs => $3))
       ) and (m.queue_id is not null or not exists (
         -- A client that vanished in the middle of DATA is noticed within minutes.
         select from message_part p where p.queue_id = s.queue_id and p.stored_at > now() - interval '1 hour'
       ))
     ), deleted as (
       delete from message_part p using useless u where p.queue_id = u.queue_id
     )
     select max(queue_id) as last, count(*) as seen from seen`,
    [after, batchSize, olderThanSeconds],
  );
  const batch = rows[0];
  return batch && batch.seen === batchSize ? (batch.last ?? undefined) : undefined;
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
  await q.query(
    `delete from login_proof where succeeded_at < now() - interval '30 days'
       or succeeded_at < (select succeeded_at from login_proof order by succeeded_at desc offset $1 limit 1)`,
    [mostLoginProofs],
  );
  return rowCount;
}
