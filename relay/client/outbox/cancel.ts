// Cancelling: a promise that no DATA for the email will ever be sent, or the news that it is too late.
import type { Database, Queryable } from '../../../deploy/database.ts';
import type { Status } from '../vocabulary.ts';

export type CancelResult =
  | { readonly outcome: 'cancelled' | 'already-cancelled' | 'too-late'; readonly status: Status }
  | { readonly outcome: 'unknown' };

/** Cancels in a transaction of its own. `actor` is who asked, for the timeline. */
export function cancelEmail(database: Database, id: string, actor: string): Promise<CancelResult> {
  return database.transaction((tx) => cancelEmailWithin(tx, id, actor));
}

/**
 * Cancels what is not on its way. Two writers may race us, and each is stopped by a row that we lock first: the
 * relay's accept locks the email, the relay's claim locks the recipients. Recipients are locked before their email,
 * as the relay does it, so that nobody waits in a circle.
 */
export async function cancelEmailWithin(tx: Queryable, id: string, actor: string): Promise<CancelResult> {
  const detail = JSON.stringify({ actor });
  const { rowCount: atHome } = await tx.query(
    `with cancelled as (
       update email set
         status = 'cancelled', reason = 'on-request', reason_detail = null,
         next_hand_over_at = null, finished_at = now(), updated_at = now()
       where id = $1 and queue_id is null and status in ('pending', 'held')
       returning id
     )
     insert into event (type, email_id, detail) select 'cancelled', id, $2 from cancelled`,
    [id, detail],
  );
  if (atHome > 0) return { outcome: 'cancelled', status: 'cancelled' };

  const { rows } = await tx.query<{ status: Status; queue_id: string | null }>(
    'select status, queue_id from email where id = $1',
    [id],
  );
  const email = rows[0];
  if (!email) return { outcome: 'unknown' };
  if (email.status === 'cancelled') return { outcome: 'already-cancelled', status: 'cancelled' };
  if (email.queue_id === null) return { outcome: 'too-late', status: email.status };
  return cancelAtRelay(tx, { emailId: id, queueId: email.queue_id }, detail);
}

/** The same for a mail that another application submitted over SMTP. */
export async function cancelSubmittedWithin(
  tx: Queryable,
  queueId: string,
  actor: string,
): Promise<CancelResult> {
  if ((await submittedStatus(tx, queueId)) === undefined) return { outcome: 'unknown' };
  return cancelAtRelay(tx, { emailId: null, queueId }, JSON.stringify({ actor }));
}

/** The worst of its recipients, as for an email; undefined when there is no such mail. */
export async function submittedStatus(q: Queryable, queueId: string): Promise<Status | undefined> {
  const { rows } = await q.query<{ status: Status }>(
    `select r.status from message m join recipient r using (queue_id)
     where m.queue_id = $1 and m.email_id is null order by r.status limit 1`,
    [queueId],
  );
  return rows[0]?.status;
}

export type AtRelay = { readonly emailId: string | null; readonly queueId: string };

type RecipientState = { ordinal: number; address: string; status: Status; mayBeOut: boolean };

async function cancelAtRelay(
  tx: Queryable,
  { emailId, queueId }: AtRelay,
  detail: string,
): Promise<CancelResult> {
  const { rows: recipients } = await tx.query<RecipientState>(
    `select ordinal, address, status, marked_at is not null or resends > 0 as "mayBeOut"
     from recipient where queue_id = $1 order by ordinal for update`,
    [queueId],
  );
  if (!recipients.some(mayHaveLeft) && recipients.some(isWaiting)) {
    await tx.query(
      `with cancelled as (
         update recipient set
           status = 'cancelled', reason = 'on-request', reason_detail = null,
           next_attempt_at = null, finished_at = now()
         where queue_id = $1 and ordinal = any($2)
         returning address
       )
       insert into event (type, email_id, queue_id, recipient, detail)
       select 'cancelled', $3, $1, address, $4 from cancelled`,
      [queueId, recipients.filter(isWaiting).map(({ ordinal }) => ordinal), emailId, detail],
    );
    return { outcome: 'cancelled', status: await statusOf(tx, { emailId, queueId }) };
  }
  const status = await statusOf(tx, { emailId, queueId });
  return { outcome: status === 'cancelled' ? 'already-cancelled' : 'too-late', status };
}

/**
 * A mark says that data may be out even where the recipient was put aside afterwards; mail that waits to be sent again
 * lost its mark, but a first copy may have arrived all the same.
 */
const mayHaveLeft = ({ status, mayBeOut }: RecipientState) =>
  status === 'sending' || status === 'sent' || status === 'uncertain' || (mayBeOut && isWaiting({ status }));

const isWaiting = ({ status }: Pick<RecipientState, 'status'>) =>
  status === 'queued' || status === 'deferred' || status === 'held';

async function statusOf(tx: Queryable, { emailId: id, queueId }: AtRelay): Promise<Status> {
  if (id === null) return (await submittedStatus(tx, queueId)) ?? 'cancelled';
  const { rows } = await tx.query<{ status: Status }>('select status from email where id = $1', [id]);
  return rows[0]?.status ?? 'cancelled';
}
