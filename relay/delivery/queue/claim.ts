// Taking mail from the queue, under a lease that names who carries it.
import { randomUUID } from 'node:crypto';
import type { Queryable } from '../../../deploy/database.ts';
import type { ClaimedMail, ClaimedRecipient } from '../../policy/claimed-mail.ts';

type ClaimedRow = {
  queueId: string;
  emailId: string | null;
  priority: number;
  sender: string;
  headerFrom: string;
  size: number;
  eightBit: boolean;
  utf8Header: boolean;
  onUncertain: 'resend' | 'hold' | null;
  ret: string | null;
  envid: string | null;
  receivedAt: Date;
  ageSeconds: number;
  tooLate: boolean;
  traceparent: string | null;
  recipients: ClaimedRecipient[];
  content: Buffer | null;
};

/** Mails up to this size come with their claim; larger ones are read part by part while they are sent. */
const inlineBytes = 64 * 1024;

/** One provider session takes at most this many recipients in one go (RFC 5321 §4.5.3.1.8 guarantees 100). */
const recipientsPerTransaction = 100;

/**
 * While the mail of a restored backup is being held (restored.ts), what was not looked at yet is not claimed. It has no
 * id after that of the backup's newest message; and the time of its next attempt, which nearly all of it has behind it,
 * spares the index the walk over a million of them.
 */
const fresh = `fresh as materialized (
       select coalesce(max(restored_at), '-infinity') as since, coalesce(max(restored_up_to_message), '') as after
       from database_identity
     )`;

/**
 * Claims up to `limit` due recipients and, with them, the due recipients of the same mails.
 * Any number of relays may ask at once; nobody waits for another.
 *
 * Priorities are looked at one by one, lowest number first: the index then finds the due rows of each without
 * walking over those that are deferred into the future.
 */
export async function claimDueMail(
  q: Queryable,
  {
    limit,
    instance,
    leaseMs,
    lowestPriority = 9,
  }: { limit: number; instance: string; leaseMs: number; lowestPriority?: number },
): Promise<ClaimedMail[]> {
  return claim(
    q,
    'claim-due',
    `${fresh}, head as materialized (
       select due.queue_id, due.ordinal
       from generate_series(0, $5::integer) as priorities (priority)
       cross join lateral (
         select queue_id, ordinal from recipient
         where status in ('queued', 'deferred') and recipient.priority = priorities.priority
           and next_attempt_at <= now()
           and next_attempt_at >= (select since from fresh) and queue_id > (select after from fresh)
         order by next_attempt_at limit $4
         for update skip locked
       ) due
       limit $4
     ), mine as materialized (
       -- Mail by mail, by the primary key: a join would be free to walk over everything that is due. As text, the status
       -- does not match the condition of the index of due mail: a plan made while the queue was empty chose that index,
       -- and walked over all that was due for each mail.
       select siblings.queue_id, siblings.ordinal
       from (select queue_id, min(ordinal) as first from head group by queue_id) mails
       cross join lateral (
         select queue_id, ordinal from recipient r
         where r.queue_id = mails.queue_id and r.status::text in ('queued', 'deferred') and r.next_attempt_at <= now()
           and r.ordinal between mails.first and mails.first + ${recipientsPerTransaction - 1}
         for update skip locked
       ) siblings
     )`,
    { instance, leaseMs },
    [limit, lowestPriority],
  );
}

/** Held mail looked at in one statement. */
const heldBatch = 1_000;

type HeldPlace = { readonly queueId: string; readonly ordinal: number };

/**
 * Claims one held mail of a sender, to see whether the provider lets it pass by now. Looks at a batch of held mail at a
 * time, so that no statement waits for a million mails of others. Undefined means that the sender has none.
 *
 * @throws the signal's reason when it aborts before all was looked at
 */
export async function claimHeld(
  q: Queryable,
  {
    lane,
    sender,
    instance,
    leaseMs,
    signal,
  }: { lane: string; sender: string; instance: string; leaseMs: number; signal?: AbortSignal },
): Promise<ClaimedMail | undefined> {
  const { rows: causes } = await q.query<{ cause: string }>(
    'select distinct unnest(causes || cause) as cause from sender_hold where lane = $1 and sender = $2',
    [lane, sender],
  );
  for (const { cause } of causes) {
    let next = await nextHeld(q, cause, sender, { queueId: '', ordinal: -1 });
    while (next) {
      signal?.throwIfAborted();
      const mail = next.isTheirs ? await claimOneHeld(q, next, { instance, leaseMs }) : undefined;
      if (mail) return mail;
      next = await nextHeld(q, cause, sender, next);
    }
  }
  return undefined;
}

/** The first held mail of the sender in the next batch, or else the last of others in it. */
async function nextHeld(
  q: Queryable,
  cause: string,
  sender: string,
  after: HeldPlace,
): Promise<(HeldPlace & { readonly isTheirs: boolean }) | undefined> {
  const { rows } = await q.query<HeldPlace & { isTheirs: boolean }>({
    name: 'next-held',
    text: `
      with ${fresh}, seen as materialized (
        select queue_id, ordinal from recipient
        -- One comparison, not two: PostgreSQL would begin at the second and walk to the first.
        where status = 'held' and reason = $1
          and (queue_id, ordinal) > (greatest($2, (select after from fresh)), $3)
        order by reason, queue_id, ordinal limit $5
      ), theirs as (
        select queue_id, ordinal
        from seen join message m using (queue_id) join recipient r using (queue_id, ordinal)
        where r.marked_at is null and queue_id > (select after from fresh) and (m.sender = $4 or m.header_from = $4)
          and not (exists (select from suppression) and not m.ignore_suppression
            and suppression_of(r.address, m.stream) is not null)
        order by queue_id, ordinal limit 1
      ), furthest as (
        select queue_id, ordinal from seen order by queue_id desc, ordinal desc limit 1
      )
      select queue_id as "queueId", ordinal, true as "isTheirs" from theirs
      union all
      select queue_id, ordinal, false from furthest where not exists (select from theirs)`,
    values: [cause, after.queueId, after.ordinal, sender, heldBatch],
  });
  return rows[0];
}

async function claimOneHeld(
  q: Queryable,
  { queueId, ordinal }: HeldPlace,
  lease: { instance: string; leaseMs: number },
): Promise<ClaimedMail | undefined> {
  const [claimed] = await claim(
    q,
    'claim-held',
    `mine as materialized (
       select queue_id, ordinal from recipient
       where queue_id = $4 and ordinal = $5 and status = 'held' and marked_at is null
       for update skip locked
     )`,
    lease,
    [queueId, ordinal],
  );
  return claimed;
}

async function claim(
  q: Queryable,
  name: string,
  selection: string,
  { instance, leaseMs }: { instance: string; leaseMs: number },
  parameters: unknown[],
): Promise<ClaimedMail[]> {
  const token = randomUUID();
  const { rows } = await q.query<ClaimedRow>({
    name,
    text: `
      with ${selection}, claimed as (
        update recipient r
        set status = 'sending', claim_token = $1, claimed_by = $2,
            lease_until = clock_timestamp() + $3 * interval '1 millisecond',
            next_attempt_at = null, marked_at = null, reason = null, reason_detail = null
        from mine where r.queue_id = mine.queue_id and r.ordinal = mine.ordinal
        returning r.queue_id, r.ordinal, r.address, r.attempts, r.resends, r.notify, r.orcpt,
          case when exists (select from suppression) then (
            select suppression_of(r.address, m.stream) from message m
            where m.queue_id = r.queue_id and not m.ignore_suppression) end as suppression
      ), mails as (
        select queue_id, json_agg(json_build_object(
          'ordinal', ordinal, 'address', address, 'attempts', attempts, 'resends', resends,
          'notify', notify, 'orcpt', orcpt, 'suppression', suppression) order by ordinal) as recipients
        from claimed group by queue_id
      )
      select m.queue_id as "queueId", m.email_id as "emailId", m.priority, m.sender, m.header_from as "headerFrom",
        m.size, m.eight_bit as "eightBit", m.smtputf8 as "utf8Header", m.on_uncertain as "onUncertain", m.ret, m.envid,
         m.received_at as "receivedAt",
        extract(epoch from now() - m.received_at)::float8 as "ageSeconds",
        coalesce(e.due_at + e.max_lateness < now(), false) as "tooLate", e.traceparent,
        mails.recipients, p.content
      from mails
      join message m using (queue_id)
      left join email e on e.id = m.email_id
      -- A claim need not survive a crash of PostgreSQL: the mark would find no claim and shut the fence, and a mark
      -- that is durable makes everything before it durable, too. So nobody waits for the disk here.
      cross join (select set_config('synchronous_commit', 'off', true)) as not_waiting
      left join message_part p on m.size <= ${inlineBytes} and p.queue_id = m.queue_id and p.part = 0
      order by m.priority, m.received_at`,
    values: [token, instance, leaseMs, ...parameters],
  });
  return rows.map((row) => ({ ...row, token }));
}

/**
 * The bytes of a large mail, a part at a time, so that many of them fit into little memory.
 *
 * @throws when they are not `size` bytes in the end: half a mail must never get its final dot.
 */
export async function* readParts(q: Queryable, queueId: string, size: number): AsyncGenerator<Buffer> {
  let left = size;
  for (let part = 0; left > 0; part++) {
    const { rows } = await q.query<{ content: Buffer }>({
      name: 'read-part',
      text: 'select content from message_part where queue_id = $1 and part = $2',
      values: [queueId, part],
    });
    const found = rows[0];
    if (!found) throw new Error(`part ${part} of ${queueId} is missing`);
    left -= found.content.length;
    yield found.content;
  }
  if (left < 0) throw new Error(`${queueId} is ${-left} bytes longer than it was when it was accepted`);
}
