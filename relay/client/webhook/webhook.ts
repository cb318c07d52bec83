// Endpoints that hear of events, and their secrets. Only the worker's role may read a secret; here one only goes in.
import type { Queryable } from '../../../deploy/database.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';
import type { Tag } from '../email/tag.ts';
import type { EventType } from './event-types.ts';

export type WebhookState = 'enabled' | 'disabled';

/** Why an endpoint is disabled: a person did it, it answered 410, or it failed for days. */
export type DisabledCause = 'by-hand' | 'gone' | 'failing';

export type Webhook = {
  readonly id: string;
  readonly url: string;
  /** Null: every event. */
  readonly events: EventType[] | null;
  readonly description: string | null;
  readonly tags: Tag[];
  readonly state: WebhookState;
  readonly disabledCause: DisabledCause | null;
  readonly failingSince: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Undelivered events that were dropped, because there were too many or they were too old. */
  readonly dropped: number;
  readonly undelivered: number;
};

export const mostWebhooks = 50;

/** So long both secrets sign after a rotation. */
export const rotationHours = 24;

const columns = `w.id, w.url, w.events, w.description, w.tags, w.state, w.disabled_cause as "disabledCause",
  w.failing_since as "failingSince", w.created_at as "createdAt", w.updated_at as "updatedAt",
  w.dropped::float8 as dropped,
  (select count(*) from webhook_delivery d where d.webhook_id = w.id and d.status = 'waiting')::integer as undelivered`;

export type WebhookDraft = {
  readonly url: string;
  readonly events: readonly EventType[] | null;
  readonly description: string | null;
  readonly tags: readonly Tag[];
};

/** Undefined when there are as many as there may be. */
export async function insertWebhook(
  tx: Queryable,
  { url, events, description, tags }: WebhookDraft,
  secret: Buffer,
): Promise<Webhook | undefined> {
  // One at a time, so that the count is right.
  await tx.query(`select pg_advisory_xact_lock(hashtext('webhook'))`);
  const id = uuidv7();
  const { rowCount } = await tx.query(
    `insert into webhook (id, url, events, description, tags)
     select $1, $2, $3, $4, $5::jsonb
     where (select count(*) from webhook where deleted_at is null) < ${mostWebhooks}`,
    [id, url, events, description, JSON.stringify(tags)],
  );
  if (rowCount === 0) return undefined;
  await tx.query('insert into webhook_secret (webhook_id, secret) values ($1, $2)', [id, secret]);
  return findWebhook(tx, id);
}

export async function findWebhook(q: Queryable, id: string): Promise<Webhook | undefined> {
  const { rows } = await q.query<Webhook>(
    `select ${columns} from webhook w where w.id = $1 and w.deleted_at is null`,
    [id],
  );
  return rows[0];
}

/** Newest first. */
export async function listWebhooks(
  q: Queryable,
  { limit, after }: { limit: number; after?: string | undefined },
): Promise<Webhook[]> {
  const { rows } = await q.query<Webhook>(
    `select ${columns} from webhook w
     where w.deleted_at is null and ($1::uuid is null or w.id < $1) order by w.id desc limit $2`,
    [after ?? null, limit + 1],
  );
  return rows;
}

/** `enabled: true` begins anew: what it failed before no longer counts. Undefined when there is none. */
export async function updateWebhook(
  tx: Queryable,
  id: string,
  changes: Partial<WebhookDraft> & { readonly enabled?: boolean | undefined },
): Promise<Webhook | undefined> {
  const { rowCount } = await tx.query(
    `update webhook set
       url = coalesce($2, url),
       events = case when $3 then $4::text[] else events end,
       description = coalesce($5, description),
       tags = coalesce($6::jsonb, tags),
       state = case when $7 then 'enabled' when not $7 then 'disabled' else state end,
       disabled_cause = case when $7 then null when not $7 then 'by-hand' else disabled_cause end,
       failing_since = case when $7 then null else failing_since end,
       failures = case when $7 then 0 else failures end,
       paused_until = case when $7 then null else paused_until end,
       told_at = case when $7 then null else told_at end,
       updated_at = now()
     where id = $1 and deleted_at is null`,
    [
      id,
      changes.url ?? null,
      changes.events !== undefined,
      changes.events ?? null,
      changes.description ?? null,
      changes.tags ? JSON.stringify(changes.tags) : null,
      changes.enabled ?? null,
    ],
  );
  if (rowCount === 0) return undefined;
  if (changes.enabled) await wakeWorker(tx);
  return findWebhook(tx, id);
}

/** Its secrets go at once and nothing is posted any more; the worker removes the rest, which may be much. */
export async function deleteWebhook(tx: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update webhook set deleted_at = now() where id = $1 and deleted_at is null',
    [id],
  );
  await tx.query('delete from webhook_secret where webhook_id = $1', [id]);
  return rowCount > 0;
}

/** The old ones go on signing for a day beside the new one. Answers until when; undefined when there is no endpoint. */
export async function rotateSecret(tx: Queryable, id: string, secret: Buffer): Promise<Date | undefined> {
  const { rows } = await tx.query<{ until: Date }>(
    `select now() + interval '${rotationHours} hours' as until from webhook
     where id = $1 and deleted_at is null for no key update`,
    [id],
  );
  const until = rows[0]?.until;
  if (!until) return undefined;
  await tx.query('update webhook_secret set expires_at = $2 where webhook_id = $1 and expires_at is null', [
    id,
    until,
  ]);
  await tx.query(
    'insert into webhook_secret (webhook_id, secret, created_at) values ($1, $2, clock_timestamp())',
    [id, secret],
  );
  return until;
}

/** The worker looks for what is due. */
export const wakeWorker = (q: Queryable) => q.query(`select pg_notify('postern_webhooks', '')`);

/**
 * A change that was committed before an endpoint was may still be on its way to its commit: it did not see the endpoint.
 * Whoever waits until every transaction of that time is over can promise that the endpoint hears of every later commit.
 */
export async function currentTransaction(tx: Queryable): Promise<string> {
  const { rows } = await tx.query<{ id: string }>('select pg_current_xact_id()::text as id');
  return rows[0]?.id ?? '0';
}

export async function isNothingOlder(q: Queryable, transaction: string): Promise<boolean> {
  const { rows } = await q.query<{ over: boolean }>(
    'select pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 as over',
    [transaction],
  );
  return rows[0]?.over === true;
}

/** For the metrics. What waits is counted up to 100,000 for each endpoint. */
export async function countWebhooks(
  q: Queryable,
): Promise<{ states: Record<'enabled' | DisabledCause, number>; undelivered: number; dropped: number }> {
  const { rows } = await q.query<{
    state: 'enabled' | DisabledCause;
    count: number;
    undelivered: number;
    dropped: number;
  }>(
    `select coalesce(w.disabled_cause, 'enabled') as state, count(*)::integer as count,
       coalesce(sum(u.undelivered), 0)::integer as undelivered, coalesce(sum(w.dropped), 0)::float8 as dropped
     from webhook w cross join lateral (
       select count(*) as undelivered from (
         select from webhook_delivery d where d.webhook_id = w.id and d.status = 'waiting' limit 100000
       ) counted
     ) u
     where w.deleted_at is null group by 1`,
  );
  const states = { enabled: 0, 'by-hand': 0, gone: 0, failing: 0 };
  for (const { state, count } of rows) states[state] = count;
  const sum = (of: 'undelivered' | 'dropped') => rows.reduce((total, row) => total + row[of], 0);
  return { states, undelivered: sum('undelivered'), dropped: sum('dropped') };
}
