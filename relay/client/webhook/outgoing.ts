// Deliveries on their way to an endpoint: claimed under a lease, and settled by whoever holds it.
import type { Queryable } from '../../../deploy/database.ts';
import type { DisabledCause } from './webhook.ts';

/** Longer than an attempt may take, and shorter than what the triggers call idle (deploy/migrations/000030). */
const leaseSeconds = 25;

/** So many failures without a success between: from then on one attempt at a time, after a pause that doubles. */
const failuresInARow = 8;

/** An endpoint that failed for so long is disabled. */
const failingDays = 3;

export type DueWebhook = { readonly id: string; readonly dueInMs: number };

/** Endpoints that have something to hear, and when the first of it is due. */
export async function findDueWebhooks(q: Queryable): Promise<{ due: DueWebhook[]; isAnyEnabled: boolean }> {
  const { rows } = await q.query<{ id: string; dueInMs: number | null }>({
    name: 'find-due-webhooks',
    text: `
      select w.id, extract(epoch from greatest(d.next_attempt_at, w.paused_until) - now())::float8 * 1000 as "dueInMs"
      from webhook w left join lateral (
        select next_attempt_at from webhook_delivery d
        where d.webhook_id = w.id and d.status = 'waiting' order by next_attempt_at limit 1
      ) d on true
      where w.state = 'enabled' and w.deleted_at is null`,
  });
  return {
    due: rows.flatMap(({ id, dueInMs }) => (dueInMs === null ? [] : [{ id, dueInMs }])),
    isAnyEnabled: rows.length > 0,
  };
}

export type ClaimedDelivery = {
  readonly id: string;
  readonly webhookId: string;
  readonly url: string;
  readonly type: string;
  readonly at: Date;
  readonly data: Readonly<Record<string, unknown>>;
  /** Before this one. */
  readonly attempts: number;
  /** The newest first. */
  readonly secrets: readonly Buffer[];
  /** Nothing is written about it but under this lease. */
  readonly lease: string;
};

/** Claims up to `limit` that are due, or one while the endpoint fails. Any number of workers may ask at once. */
export async function claimDeliveries(
  q: Queryable,
  webhookId: string,
  limit: number,
): Promise<ClaimedDelivery[]> {
  const { rows } = await q.query<ClaimedDelivery>({
    name: 'claim-webhook-deliveries',
    text: `
      with endpoint as materialized (
        select id, url, case when failures >= ${failuresInARow} then 1 else $2::integer end as most from webhook
        where id = $1 and state = 'enabled' and deleted_at is null and (paused_until is null or paused_until <= now())
      ), due as materialized (
        select d.id from webhook_delivery d
        where d.webhook_id = $1 and d.status = 'waiting' and d.next_attempt_at <= now()
        order by d.next_attempt_at limit coalesce((select most from endpoint), 0)
        for update skip locked
      ), taken as (
        update webhook_delivery d set next_attempt_at = now() + interval '${leaseSeconds} seconds'
        from due where d.id = due.id and d.webhook_id = $1
        returning d.id, d.webhook_id, d.type, d.at, d.data, d.attempts, d.next_attempt_at
      ), secrets as (
        select array_agg(secret order by created_at desc) as secrets from webhook_secret
        where webhook_id = $1 and (expires_at is null or expires_at > now())
      )
      select t.id, t.webhook_id as "webhookId", e.url, t.type, t.at, t.data, t.attempts,
        t.next_attempt_at::text as lease, coalesce(s.secrets, '{}') as secrets
      from taken t cross join endpoint e cross join secrets s order by t.id`,
    values: [webhookId, limit],
  });
  return rows;
}

export type Attempted = {
  readonly answerStatus: number | null;
  readonly answer: string | null;
  readonly error: string | null;
  readonly durationMs: number;
};

/** Its success ends whatever the endpoint failed before. */
export async function settleDelivered(
  q: Queryable,
  { id, webhookId, lease }: ClaimedDelivery,
  { answerStatus, answer, durationMs }: Attempted,
): Promise<void> {
  await q.query({
    name: 'settle-delivered',
    text: `
      with recovered as (
        update webhook set failing_since = null, failures = 0, paused_until = null where id = $2 and failures > 0
      )
      update webhook_delivery set
        status = 'delivered', next_attempt_at = null, attempts = attempts + 1, attempted_at = now(), finished_at = now(),
        answer_status = $4, answer = $5, error = null, duration_ms = $6
      where id = $1 and webhook_id = $2 and status = 'waiting' and next_attempt_at = $3::timestamptz`,
    values: [id, webhookId, lease, answerStatus, answer, durationMs],
  });
}

export type Failure = {
  /** Null: it was the last attempt. */
  readonly nextInSeconds: number | null;
  /** The endpoint asked for a pause. */
  readonly pauseSeconds: number | null;
  /** It answered that it is gone for good. */
  readonly isGone: boolean;
};

/** Answers why the endpoint is disabled by now, when this failure was the one that did it. */
export async function settleFailed(
  q: Queryable,
  { id, webhookId, lease }: ClaimedDelivery,
  { answerStatus, answer, error, durationMs }: Attempted,
  { nextInSeconds, pauseSeconds, isGone }: Failure,
): Promise<DisabledCause | undefined> {
  const { rows } = await q.query<{ cause: DisabledCause }>({
    name: 'settle-failed',
    text: `
      with settled as (
        update webhook_delivery set
          status = case when $7::float8 is null then 'failed' else 'waiting' end,
          next_attempt_at = now() + make_interval(secs => $7), attempts = attempts + 1, attempted_at = now(),
          finished_at = case when $7 is null then now() end,
          answer_status = $4, answer = $5, error = $6, duration_ms = $10
        where id = $1 and webhook_id = $2 and status = 'waiting' and next_attempt_at = $3::timestamptz
      ), endpoint as (
        update webhook set
          failing_since = coalesce(failing_since, now()), failures = failures + 1,
          paused_until = greatest(paused_until, now() + make_interval(secs => $8),
            case when failures >= ${failuresInARow - 1}
              then now() + least(5 * 2 ^ least(failures - ${failuresInARow - 1}, 10), 300) * interval '1 second' end),
          state = case when $9 or failing_since < now() - interval '${failingDays} days' then 'disabled' else state end,
          disabled_cause = case when $9 then 'gone'
            when failing_since < now() - interval '${failingDays} days' then 'failing' else disabled_cause end
        where id = $2 and state = 'enabled'
        returning state, disabled_cause
      )
      -- Only the relay knows where alerts go (relay/alerts/disabled-webhooks.ts).
      select disabled_cause as cause, pg_notify('postern_relay', '') from endpoint where state = 'disabled'`,
    values: [
      id,
      webhookId,
      lease,
      answerStatus,
      answer,
      error,
      nextInSeconds,
      pauseSeconds,
      isGone,
      durationMs,
    ],
  });
  return rows[0]?.cause;
}
