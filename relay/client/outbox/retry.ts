// Trying again because a person says so: what is held, put off, expired or was refused.
import { randomBytes } from 'node:crypto';
import { ring } from '../../../deploy/bell.ts';
import type { Database, Queryable } from '../../../deploy/database.ts';
import type { Status } from '../vocabulary.ts';
import { type AtRelay, submittedStatus } from './cancel.ts';
import { probeLanesNow, probeSenderWith } from './probe.ts';

export type RetryResult =
  | { readonly outcome: 'retried'; readonly status: Status }
  /** It waits for its time, is on its way, or is over for good; uncertain mail is for `resolveEmail`. */
  | { readonly outcome: 'not-retryable'; readonly status: Status }
  | { readonly outcome: 'unknown' };

/** Puts an email back into the queue for an attempt at once. Recipients that were served are never served again. */
export function retryEmail(database: Database, id: string, actor: string): Promise<RetryResult> {
  return database.transaction((tx) => retryEmailWithin(tx, id, actor));
}

export async function retryEmailWithin(tx: Queryable, id: string, actor: string): Promise<RetryResult> {
  const detail = JSON.stringify({ actor });
  // What expired goes out as of now; its old time and limit would make it expire again.
  const { rowCount: atHome } = await tx.query(
    `with requeued as (
       update email set
         status = 'pending', reason = null, reason_detail = null, finished_at = null, next_hand_over_at = now(),
         due_at = case when status = 'expired' then now() else due_at end,
         max_lateness = case when status = 'expired' then null else max_lateness end,
         paused = false, token = $3, updated_at = now()
       where id = $1 and queue_id is null and from_address <> ''
         and (status in ('held', 'expired') or (status = 'pending' and due_at <= now()))
       returning id
     )
     insert into event (type, email_id, detail) select 'requeued', id, $2 from requeued`,
    [id, detail, randomBytes(32)],
  );
  if (atHome > 0) {
    await ring(tx, 'worker');
    return { outcome: 'retried', status: 'pending' };
  }

  const { rows } = await tx.query<{ status: Status; queue_id: string | null }>(
    'select status, queue_id from email where id = $1',
    [id],
  );
  const email = rows[0];
  if (!email) return { outcome: 'unknown' };
  if (email.queue_id === null) return { outcome: 'not-retryable', status: email.status };

  const { atRelay, isLaneAsked } = await requeue(tx, { emailId: id, queueId: email.queue_id }, detail);
  const { rows: after } = await tx.query<{ status: Status }>('select status from email where id = $1', [id]);
  return outcomeOf(after[0]?.status ?? email.status, { atRelay, isLaneAsked });
}

/** The same for a mail that another application submitted over SMTP. */
export async function retrySubmittedWithin(
  tx: Queryable,
  queueId: string,
  actor: string,
): Promise<RetryResult> {
  const before = await submittedStatus(tx, queueId);
  if (before === undefined) return { outcome: 'unknown' };
  const tried = await requeue(tx, { emailId: null, queueId }, JSON.stringify({ actor }));
  return outcomeOf((await submittedStatus(tx, queueId)) ?? before, tried);
}

type Tried = { readonly atRelay: number; readonly isLaneAsked: boolean };

// Queued mail waits for its lane: to ask whether that is open again is all that can be tried.
const outcomeOf = (status: Status, { atRelay, isLaneAsked }: Tried): RetryResult => ({
  outcome: atRelay > 0 || (isLaneAsked && status === 'queued') ? 'retried' : 'not-retryable',
  status,
});

/** Puts those recipients back into the queue that were not served. */
async function requeue(tx: Queryable, { emailId, queueId }: AtRelay, detail: string): Promise<Tried> {
  await probeSenderWith(tx, queueId);
  const isLaneAsked = await probeLanesNow(tx);

  const { rowCount: atRelay } = await tx.query(
    `with waiting as (
       select ordinal, status from recipient
       where queue_id = $1 and status in ('held', 'deferred', 'expired', 'bounced')
         and (status = 'bounced' or marked_at is null)
         -- The provider had it: that it came back later is no failed attempt.
         and bounced_at is null
       order by ordinal for update
     ), lifted as (
       update email set max_lateness = null
       where id = $2 and exists (select from waiting where status = 'expired')
     ), requeued as (
       update recipient r set
         status = 'queued', next_attempt_at = now(), marked_at = null, finished_at = null,
         reason = null, reason_detail = null
       from waiting w where r.queue_id = $1 and r.ordinal = w.ordinal
       returning r.address
     )
     insert into event (type, email_id, queue_id, recipient, detail)
     select 'requeued', $2, $1, address, $3 from requeued`,
    [queueId, emailId, detail],
  );
  if (atRelay > 0) await ring(tx, 'relay');
  return { atRelay, isLaneAsked };
}
