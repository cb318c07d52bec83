// One statement, one commit, for a whole group of messages: after it the relay is responsible for all of them.
import type { Queryable } from '../../deploy/database.ts';
import { traceIdOf } from '../../deploy/trace.ts';
import { priorities, type Status } from '../client/vocabulary.ts';
import type { ClaimedMail } from '../policy/claimed-mail.ts';
import type { Offer } from '../policy/offer.ts';
import type { Submission } from './group.ts';
import { type ClaimedRow, handedMail, mayBeHanded } from './hand-off.ts';
import { type Refusal, refuse } from './refusal.ts';

export type Outcome =
  /** Committed under its own queue id. */
  | {
      readonly outcome: 'accepted';
      readonly queueId: string;
      readonly traceId: string | undefined;
      /** Claimed in the same commit; otherwise it waits in the queue. */
      readonly handed: ClaimedMail | undefined;
      /** By the database's clock. */
      readonly at: Date;
    }
  /** The same mail was accepted before, under this id; nothing has changed. */
  | { readonly outcome: 'known'; readonly queueId: string }
  | { readonly outcome: 'refused'; readonly refusal: Refusal }
  /** It was the same as a mail that was just forgotten: ask again. */
  | { readonly outcome: 'again' };

/**
 * Commits what of the group may be accepted and tells the outcome of each, in order. Rejects when the statement
 * fails: then nothing of the group is accepted, or nobody knows (see accept.ts).
 *
 * @param offer what may be claimed at once
 */
export async function commitGroup(
  database: Queryable,
  group: readonly Submission[],
  offer?: Offer,
): Promise<Outcome[]> {
  const { rows } = await database.query<OutcomeRow>({
    name: 'commit-group',
    text: commitStatement,
    values: [...parametersOf(group, offer), offer?.token, offer?.instance, offer?.leaseMs, offer?.room],
  });
  const byQueueId = new Map(rows.map((row) => [row.queue_id, row]));
  const knownRows = await findKnown(
    database,
    group.filter(({ queueId, email }) => !email && !byQueueId.get(queueId)?.taken),
  );
  return group.map((submission): Outcome => {
    const row = byQueueId.get(submission.queueId);
    if (row?.taken) {
      const handed = offer && row.handed ? handedMail(submission, offer, row) : undefined;
      return {
        outcome: 'accepted',
        queueId: submission.queueId,
        traceId: traceIdOf(row.traceparent),
        handed,
        at: row.received_at,
      };
    }
    if (submission.email) return judgeEmail(row, submission.email.id);
    const known = knownRows.get(submission.queueId);
    if (known === undefined) return { outcome: 'again' };
    return known.is_same
      ? { outcome: 'known', queueId: known.first }
      : { outcome: 'refused', refusal: keyOfAnotherMail(known.first) };
  });
}

/** Which of these messages are committed: for whoever lost the connection while the commit was on its way. */
export async function findCommitted(
  database: Queryable,
  queueIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await database.query<{ queue_id: string }>(
    'select queue_id from message where queue_id = any($1)',
    [queueIds],
  );
  return new Set(rows.map((row) => row.queue_id));
}

// The order of the locks is everybody's order: emails by id, then keys, then digests. `asked` sees the newest version of each email,
// because a locking read waits for the writer before it looks. Of a digest the half is kept: it tells one mail from
// another as well, in less room. The bodies come as one parameter and are cut out by
// position: an array of bytea would travel as hexadecimal text, which is twice the work.
const commitStatement = `
  with incoming as materialized (
    select * from json_to_recordset($1) as i (
      queue_id text, email_id uuid, token bytea, credential text, key bytea, digest bytea,
      sender text, header_from text, message_id text, subject text, size integer, smtputf8 boolean,
      eight_bit boolean, status mail_status, reason text, reason_detail text, submitted jsonb, ret text, envid text,
      start_at integer, length integer, may_be_handed boolean, tags jsonb, stream text)
  ), asked as materialized (
    select e.id, e.token, e.status, e.paused, e.queue_id, e.priority, e.on_uncertain, e.traceparent, e.due_at,
      e.stream, e.ignore_suppression,
      coalesce(e.due_at + e.max_lateness < now(), false) as too_late
    from email e where e.id in (select email_id from incoming)
    order by e.id for no key update
  ), fresh as (
    insert into submission as s (credential, key, queue_id, lasts, digest)
    select credential, key, queue_id, interval '7 days', digest from incoming
    where key is not null order by credential, key
    on conflict (credential, key) do update
      set queue_id = excluded.queue_id, at = excluded.at, lasts = excluded.lasts, digest = excluded.digest
      where s.at + s.lasts <= now()
    returning s.queue_id
  ), admitted as materialized (
    select i.*, coalesce(a.priority, $4) as priority, a.on_uncertain, coalesce(a.too_late, false) as too_late,
      coalesce(a.stream, i.stream) as its_stream, coalesce(a.ignore_suppression, false) as ignore_suppression,
      case when i.key is null then encode(substring(i.digest for 16), 'hex')::uuid end as repeat
    from incoming i left join asked a on a.id = i.email_id
    where case
      when i.email_id is not null
        then a.token = i.token and a.status = 'pending' and not a.paused and a.queue_id is null
          -- As in a claim (relay/client/outbox/claim.ts); this one may be older than what is going on here.
          and (a.due_at > (select coalesce(max(restored_at), '-infinity') from database_identity)
            or a.id > (select restored_up_to_email from database_identity))
      when i.key is not null then i.queue_id in (select queue_id from fresh)
      else i.digest is null or not exists (
        -- Processes of 0.1.0 keep it there.
        select from submission s
        where s.credential = i.credential and s.key = i.digest and s.at + s.lasts > now())
    end
  ), new_message as (
    insert into message (queue_id, email_id, credential, sender, header_from, message_id, subject, size, priority,
                         smtputf8, eight_bit, on_uncertain, ret, envid, tags, stream, ignore_suppression,
                         submitted, digest)
    select queue_id, email_id, credential, sender, header_from, message_id, subject, size, priority,
           smtputf8, eight_bit, on_uncertain, ret, envid, coalesce(tags, '[]'), its_stream, ignore_suppression,
           submitted, repeat
    from admitted order by repeat
    on conflict (hashtextextended(message_id, 0), digest) where email_id is null do nothing
    returning queue_id
  ), taken as materialized (
    select a.* from admitted a join new_message using (queue_id)
  ), waiting as materialized (
    -- Nobody passes mail that is due and as urgent. Priority by priority, as in a claim: the index then finds what is
    -- due without walking over what is deferred. With its limit, no plan can read all that is due and join it.
    select min(due.priority) as most_urgent
    from generate_series(0, (select max(priority) from taken where may_be_handed)) as priorities (priority)
    cross join lateral (
      select r.priority from recipient r
      where r.status in ('queued', 'deferred') and r.priority = priorities.priority and r.next_attempt_at <= now()
      limit 1
    ) due
  ), handed as materialized (
    select queue_id
    from (
      select queue_id, priority, row_number() over (partition by priority order by queue_id) as position
      from taken t where may_be_handed and not too_late
        -- A claim finds out who is not written to.
        and not (exists (select from suppression) and not t.ignore_suppression and exists (
          select from json_to_recordset($2) as r (queue_id text, address text)
          where r.queue_id = t.queue_id
            and suppression_of(r.address, t.its_stream) is not null))
    ) fitting
    where position <= coalesce(($9::integer[])[priority + 1], 0)
      and priority < coalesce((select most_urgent from waiting), 32767)
  ), new_part as (
    insert into message_part (queue_id, part, content)
    select queue_id, 0, substring($3::bytea from start_at for length) from taken where length is not null
  ), new_recipient as (
    insert into recipient (queue_id, ordinal, email_id, address, status, priority, next_attempt_at,
                           claim_token, claimed_by, lease_until,
                           reason, reason_detail, finished_at, notify, orcpt)
    select r.queue_id, r.ordinal, t.email_id, r.address,
           case when claim.is_ours then 'sending' else r.status end, t.priority,
           case when r.status = 'queued' and not claim.is_ours then now() end,
           case when claim.is_ours then $6::uuid end, case when claim.is_ours then $7::uuid end,
           case when claim.is_ours then clock_timestamp() + $8::float8 * interval '1 millisecond' end,
           r.reason, r.reason_detail,
           case when r.status = 'captured' then now() end, r.notify, r.orcpt
    from json_to_recordset($2) as r (
      queue_id text, ordinal smallint, address text, status mail_status, reason text, reason_detail text,
      notify text, orcpt text)
    join taken t using (queue_id)
    left join handed h using (queue_id)
    cross join lateral (select h.queue_id is not null and r.status = 'queued' as is_ours) claim
  ), owed_notice as (
    -- RFC 3461 section 4.1: DELAY asks for a word when the mail is still here after a while.
    insert into notice_owed (queue_id, ordinal, action, due_at)
    select t.queue_id, d.ordinal, 'delayed', now() + interval '4 hours'
    from json_to_recordset($5) as d (queue_id text, ordinal smallint) join taken t using (queue_id)
  ), accepted_email as (
    update email e set
      queue_id = t.queue_id, accepted_at = now(), next_hand_over_at = null, updated_at = now(),
      status = case when h.queue_id is null then t.status else 'sending' end,
      reason = t.reason, reason_detail = t.reason_detail,
      finished_at = case when t.status = 'captured' then now() end
    from taken t left join handed h using (queue_id) where e.id = t.email_id
  ), new_event as (
    insert into event (type, email_id, queue_id, detail)
    select status::text, email_id, queue_id, jsonb_strip_nulls(jsonb_build_object(
      'reason', reason, 'reason_detail', reason_detail))
    from taken where status in ('held', 'captured')
  )
  select i.queue_id, t.queue_id is not null as taken, h.queue_id is not null as handed,
         t.priority, t.on_uncertain, now() as received_at,
         coalesce(a.token = i.token, false) as token_matches,
         a.status as email_status, a.paused as email_paused, a.queue_id as accepted_as, a.traceparent
  from incoming i left join taken t using (queue_id) left join handed h using (queue_id)
    left join asked a on a.id = i.email_id`;

type OutcomeRow = ClaimedRow & {
  queue_id: string;
  taken: boolean;
  handed: boolean;
  token_matches: boolean;
  email_status: Status | null;
  email_paused: boolean | null;
  accepted_as: string | null;
};

function parametersOf(
  group: readonly Submission[],
  offer: Offer | undefined,
): [string, string, Buffer, number, string] {
  const contents: Buffer[] = [];
  let position = 1;
  const messages = group.map((submission) => {
    const { content, email, key, digest, recipients } = submission;
    const startAt = position;
    if (content) {
      contents.push(content);
      position += content.length;
    }
    const { status, reason, reasonDetail } = submission.status;
    return {
      queue_id: submission.queueId,
      email_id: email?.id,
      token: email && asHex(email.token),
      credential: submission.credential,
      key: key && asHex(key),
      digest: digest && asHex(digest),
      sender: submission.sender,
      header_from: submission.headerFrom,
      message_id: submission.messageId,
      subject: submission.subject,
      size: submission.size,
      smtputf8: submission.smtputf8,
      eight_bit: submission.eightBit,
      status,
      reason,
      reason_detail: reasonDetail,
      submitted: {
        key: submission.keyName,
        client: submission.client,
        recipients: recipients.length,
        ...submission.were,
      },
      ret: submission.ret,
      envid: submission.envid,
      start_at: startAt,
      length: content?.length,
      may_be_handed: mayBeHanded(offer, submission),
      tags: submission.tags.length > 0 ? submission.tags : undefined,
      stream: submission.stream,
    };
  });
  const recipients = group.flatMap((submission) =>
    submission.recipients.map(({ address, status, reason, reasonDetail, notify, orcpt }, ordinal) => ({
      queue_id: submission.queueId,
      ordinal,
      address,
      status,
      reason,
      reason_detail: reasonDetail,
      notify,
      orcpt,
    })),
  );
  const wantDelay = group.flatMap(({ queueId, sender, email, recipients }) =>
    sender === '' || email
      ? []
      : recipients.flatMap(({ notify, status }, ordinal) =>
          notify?.includes('DELAY') && status !== 'captured' ? [{ queue_id: queueId, ordinal }] : [],
        ),
  );
  return [
    JSON.stringify(messages),
    JSON.stringify(recipients),
    Buffer.concat(contents),
    priorities.submitted,
    JSON.stringify(wantDelay),
  ];
}

const asHex = (bytes: Buffer) => `\\x${bytes.toString('hex')}`;

function judgeEmail(row: OutcomeRow | undefined, id: string): Outcome {
  const refusal = (code: number, text: string): Outcome => ({
    outcome: 'refused',
    refusal: refuse(code, `${code < 500 ? 4 : 5}.7.1`, text),
  });
  // Whether the email exists is not for someone to learn who cannot name its token.
  if (!row?.token_matches) return refusal(550, `No email ${id} under this token`);
  if (row.accepted_as !== null) return { outcome: 'known', queueId: row.accepted_as };
  if (row.email_status === 'cancelled') return refusal(554, `Email ${id} was cancelled`);
  if (row.email_status === 'expired') return refusal(554, `Email ${id} has expired`);
  // It may be released or resumed: the hand-over is early, not wrong.
  return refusal(450, `Email ${id} is ${row.email_paused ? 'paused' : row.email_status}`);
}

type KnownRow = {
  readonly queue_id: string;
  readonly first: string;
  readonly is_same: boolean;
};

/**
 * What was accepted before instead of these mails, by their queue ids. Mail whose time as a repeat is over is let go:
 * the next group may accept it anew.
 */
async function findKnown(
  database: Queryable,
  duplicates: readonly Submission[],
): Promise<ReadonlyMap<string, KnownRow>> {
  if (duplicates.length === 0) return new Map();
  const { rows } = await database.query<KnownRow>({
    name: 'find-known-submissions',
    text: `
      with asked as materialized (
        select * from unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::text[])
          as asked (queue_id, credential, key, digest, message_id)
      ), submitted as materialized (
        select a.queue_id, m.queue_id as first, m.received_at + interval '24 hours' > now() as counts
        from asked a join message m on m.email_id is null and a.key is null
          and hashtextextended(m.message_id, 0) = hashtextextended(a.message_id, 0)
          and m.digest = encode(substring(a.digest for 16), 'hex')::uuid
      ), let_go as (
        update message set digest = null where queue_id in (select first from submitted where not counts)
      )
      select queue_id, first, true as is_same from submitted where counts
      union all
      -- Without a digest the row is of a release that kept none, or its key is the digest itself.
      select a.queue_id, s.queue_id, coalesce(s.digest = a.digest, true)
      from asked a join submission s on s.credential = a.credential and s.key = coalesce(a.key, a.digest)
        and (a.key is not null or s.at + s.lasts > now())`,
    values: [
      duplicates.map(({ queueId }) => queueId),
      duplicates.map(({ credential }) => credential),
      duplicates.map(({ key }) => key),
      duplicates.map(({ digest }) => digest),
      duplicates.map(({ messageId }) => messageId),
    ],
  });
  return new Map(rows.map((row) => [row.queue_id, row]));
}

const keyOfAnotherMail = (queueId: string) =>
  refuse(
    554,
    '5.6.0',
    `This X-Postern-Idempotency-Key was used for another mail (${queueId}): envelope or bytes differ. A repeat needs the same bytes, another mail needs another key`,
  );
