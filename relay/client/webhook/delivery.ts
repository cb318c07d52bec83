// What endpoints have heard or have to hear: looked at, and asked for again.
import type { Queryable } from '../../../deploy/database.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';
import { wakeWorker } from './webhook.ts';

export const deliveryStatuses = ['waiting', 'delivered', 'failed'] as const;

export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** One event for one endpoint. */
export type WebhookDelivery = {
  /** Of the event: the `webhook-id`. */
  readonly id: string;
  readonly type: string;
  readonly at: Date;
  readonly data: Readonly<Record<string, unknown>>;
  readonly status: DeliveryStatus;
  readonly nextAttemptAt: Date | null;
  readonly attempts: number;
  /** Of the last attempt, as everything below. */
  readonly attemptedAt: Date | null;
  readonly answerStatus: number | null;
  readonly answer: string | null;
  readonly error: string | null;
  readonly durationMs: number | null;
};

const columns = `d.id, d.type, d.at, d.data, d.status, d.next_attempt_at as "nextAttemptAt", d.attempts,
  d.attempted_at as "attemptedAt", d.answer_status as "answerStatus", d.answer, d.error, d.duration_ms as "durationMs"`;

/** Newest first. */
export async function listDeliveries(
  q: Queryable,
  webhookId: string,
  {
    statuses = deliveryStatuses,
    limit,
    after,
  }: { statuses?: readonly DeliveryStatus[] | undefined; limit: number; after?: string | undefined },
): Promise<WebhookDelivery[]> {
  // Status by status, because the index is in that order.
  const { rows } = await q.query<WebhookDelivery>(
    `select ${columns} from unnest($2::text[]) as wanted (status)
     cross join lateral (
       select * from webhook_delivery d
       where d.webhook_id = $1 and d.status = wanted.status and ($3::uuid is null or d.id < $3)
       order by d.id desc limit $4
     ) d
     order by d.id desc limit $4`,
    [webhookId, statuses, after ?? null, limit + 1],
  );
  return rows;
}

export async function findDelivery(
  q: Queryable,
  webhookId: string,
  id: string,
): Promise<WebhookDelivery | undefined> {
  const { rows } = await q.query<WebhookDelivery>(
    `select ${columns} from webhook_delivery d where d.id = $2 and d.webhook_id = $1`,
    [webhookId, id],
  );
  return rows[0];
}

/** An event for one endpoint alone, so that a person can see whether it arrives. Answers its id. */
export async function insertTest(tx: Queryable, webhookId: string): Promise<string> {
  const id = uuidv7();
  await tx.query(
    `insert into webhook_delivery (id, webhook_id, type, data)
     values ($1, $2, 'webhook.test', jsonb_build_object('webhook_id', $2::uuid))`,
    [id, webhookId],
  );
  await wakeWorker(tx);
  return id;
}

const anew = `status = 'waiting', next_attempt_at = now(), attempts = 0, finished_at = null`;

/** Delivers it again, under its id, with all attempts before it. False when there is none. */
export async function replay(tx: Queryable, webhookId: string, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update webhook_delivery set ${anew} where id = $2 and webhook_id = $1`,
    [webhookId, id],
  );
  await wakeWorker(tx);
  return rowCount > 0;
}

export const mostReplayed = 20_000;

/** Delivers what is over again, oldest first, and so many at most. Answers how many. */
export async function replaySince(
  tx: Queryable,
  webhookId: string,
  { since, statuses }: { since: Date; statuses: readonly DeliveryStatus[] },
): Promise<number> {
  const { rowCount } = await tx.query(
    `update webhook_delivery set ${anew}
     where webhook_id = $1 and id in (
       select d.id from unnest($2::text[]) as wanted (status)
       cross join lateral (
         select id from webhook_delivery d
         where d.webhook_id = $1 and d.status = wanted.status and d.id >= $3
         order by d.id limit ${mostReplayed}
       ) d
       order by d.id limit ${mostReplayed}
     )`,
    [webhookId, statuses, firstIdAt(since)],
  );
  await wakeWorker(tx);
  return rowCount;
}

/** The smallest UUID of version 7 of that time (RFC 9562 section 5.7). */
function firstIdAt(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** What one endpoint was told of one mail. */
export type HeardEvent = {
  readonly webhook_id: string;
  readonly url: string;
  /** The endpoint was deleted meanwhile, or is. */
  readonly deleted: boolean;
  readonly id: string;
  readonly type: string;
  readonly at: Date;
  readonly recipient: string | null;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly answer_status: number | null;
  readonly error: string | null;
};

// A mail has a few events for each recipient and endpoint; the page of a mail to hundreds shows the newest.
const mostHeard = 200;

const heard = `d.webhook_id, w.url, w.deleted_at is not null as deleted, d.id, d.type, d.at,
  d.data ->> 'recipient' as recipient, d.status, d.attempts, d.answer_status, d.error`;

/** Which endpoints heard of an email, newest first. */
export async function readHeardOfEmail(q: Queryable, emailId: string): Promise<HeardEvent[]> {
  const { rows } = await q.query<HeardEvent>(
    `select ${heard} from webhook_delivery d join webhook w on w.id = d.webhook_id
     where d.email_id = $1 order by d.id desc limit ${mostHeard}`,
    [emailId],
  );
  return rows;
}

/** The same for mail that was submitted over SMTP. */
export async function readHeardOfSubmitted(q: Queryable, queueId: string): Promise<HeardEvent[]> {
  const { rows } = await q.query<HeardEvent>(
    `select ${heard} from webhook_delivery d join webhook w on w.id = d.webhook_id
     where d.email_id is null and d.queue_id = $1 order by d.id desc limit ${mostHeard}`,
    [queueId],
  );
  return rows;
}
