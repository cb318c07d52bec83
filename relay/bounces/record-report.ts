// Writing down what a report says, all of it or nothing, and each report once.
import { createHash } from 'node:crypto';
import type { Database, Queryable } from '../../deploy/database.ts';
import type { WhyUnmatched } from '../client/status/mailbox.ts';
import { findMail } from './find-mail.ts';
import { type Effect, type KnownMail, matchReport } from './match.ts';
import { readLimit } from './parts.ts';
import type { Reading, Returned } from './report.ts';
import { type Suppressed, suppressReported } from './suppress-reported.ts';

export type Recorded =
  /** It was read before, here or elsewhere. */
  | { readonly outcome: 'known' }
  | {
      readonly outcome: 'matched' | 'unmatched' | 'unreadable';
      readonly effects: readonly Effect[];
      readonly suppressed: Suppressed;
    };

/** Nothing is written about ordinary mail: do not call it with such. */
export function recordReport(
  database: Database,
  bytes: Uint8Array,
  reading: Exclude<Reading, { outcome: 'none' }>,
): Promise<Recorded> {
  const digest = createHash('sha256').update(bytes.subarray(0, readLimit)).digest();
  return database.transaction(async (tx) => {
    const mails = reading.outcome === 'report' ? await findMail(tx, reading.returned) : [];
    const { effects, unmatched } = reading.outcome === 'report' ? matchReport(reading, mails) : noMatch;
    const outcome =
      reading.outcome === 'unreadable'
        ? 'unreadable'
        : isUnmatched(reading, unmatched)
          ? 'unmatched'
          : 'matched';
    const why = outcome === 'unmatched' && reading.outcome === 'report' ? whyUnmatched(reading, mails) : null;
    if (!(await isNew(tx, digest, outcome, why))) return { outcome: 'known' };
    const told = await apply(tx, effects);
    const real = effects.filter((_, index) => told.has(index));
    return { outcome, effects: real, suppressed: await suppressReported(tx, digest, real) };
  });
}

const noMatch = { effects: [], unmatched: 0 } as const;

const isUnmatched = (reading: { recipients: readonly unknown[] }, unmatched: number): boolean =>
  unmatched === reading.recipients.length;

/** By its ids no mail was found, or the one that was found had other recipients. */
function whyUnmatched(
  { returned: { messageIds, queueIds, addressedIds } }: { readonly returned: Returned },
  mails: readonly KnownMail[],
): WhyUnmatched {
  if (mails.length > 0) return 'recipient-unknown';
  return messageIds.length + queueIds.length + addressedIds.length > 0 ? 'mail-unknown' : 'no-id';
}

async function isNew(
  tx: Queryable,
  digest: Buffer,
  outcome: string,
  why: WhyUnmatched | null,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'insert into bounce_report (digest, outcome, why) values ($1, $2, $3) on conflict do nothing',
    [digest, outcome, why],
  );
  return rowCount > 0;
}

/** Answers which of them came true: a recipient may have changed since it was looked at. */
async function apply(tx: Queryable, effects: readonly Effect[]): Promise<Set<number>> {
  if (effects.length === 0) return new Set();
  const { rows } = await tx.query<{ index: number }>({
    name: 'apply-report',
    text: `
      with given as materialized (
        select * from jsonb_to_recordset($1) as g (
          index integer, "queueId" text, "emailId" uuid, ordinal smallint, was mail_status, status mail_status,
          type text, cause text, code smallint, enhanced text, reply text, detail jsonb)
      ), ours as materialized (
        select g.*, r.address
        from (select * from given order by "queueId" collate "C", ordinal) g
        cross join lateral (
          select r.address from recipient r
          where r.queue_id = g."queueId" and r.ordinal = g.ordinal and r.status = g.was for update) r
      ), changed as (
        update recipient r set
          status = o.status,
          reason = case when o.status = 'bounced' then o.cause end, reason_detail = null,
          bounced_at = case when o.status = 'bounced' then now() end,
          -- That of the 250, where there was one.
          finished_at = coalesce(r.finished_at, now()), next_attempt_at = null,
          stage = 'accepted',
          -- What the provider said when it took the mail stays in the timeline.
          sent_by = r.sent_by || jsonb_build_object(
            'code', r.reply_code, 'reply', r.reply, 'enhanced', r.enhanced_code),
          reply_code = case when o.status = 'bounced' then o.code else r.reply_code end,
          enhanced_code = case when o.status = 'bounced' then o.enhanced else r.enhanced_code end,
          reply = case when o.status = 'bounced' then o.reply else r.reply end
        from ours o where o.status is not null and r.queue_id = o."queueId" and r.ordinal = o.ordinal
      ), told as (
        insert into event (type, queue_id, email_id, recipient, detail)
        select o.type, o."queueId", o."emailId", o.address, o.detail from ours o order by o.index
      )
      select index from ours`,
    values: [JSON.stringify(effects.map(rowOf))],
  });
  const told = new Set(rows.map(({ index }) => index));
  const complaints = effects.filter(({ event }, index) => event === 'complained' && told.has(index));
  if (complaints.length > 0) await tellOfComplaints(tx, complaints);
  return told;
}

function rowOf({ mail, recipient, reported, status, event }: Effect, index: number) {
  const { action, cause, code, status: enhanced, reply } = reported;
  return {
    index,
    queueId: mail.queueId,
    emailId: mail.emailId,
    ordinal: recipient.ordinal,
    was: recipient.status,
    status,
    type: event,
    cause,
    code: code === '' ? null : Number(code),
    enhanced: enhanced || null,
    reply: reply || null,
    detail: {
      report: action,
      ...(event === 'bounced' && { after_sent: true }),
      ...(cause !== null && { cause }),
      ...(code !== '' && { code: Number(code) }),
      ...(enhanced !== '' && { enhanced }),
      ...(reply !== '' && { reply }),
      matched_by: mail.by,
    },
  };
}

/** No status changes with a complaint, so no trigger tells of it. */
async function tellOfComplaints(tx: Queryable, complaints: readonly Effect[]): Promise<void> {
  await tx.query(
    'select tell_webhooks_of_recipients($1::text[], $2::text[], $3::smallint[], $4::boolean[])',
    [
      complaints.map(() => 'email.complained'),
      complaints.map(({ mail }) => mail.queueId),
      complaints.map(({ recipient }) => recipient.ordinal),
      complaints.map(() => true),
    ],
  );
}
