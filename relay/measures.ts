// What the relay tells Prometheus: how much waits, how long already, and which ways out are open. All relays look at
// the same queue, so dashboards and alerts take the maximum over them and never the sum.
import type { Queryable } from '../deploy/database.ts';
import type { Metrics } from '../deploy/metrics.ts';
import type { DeliveryReport } from './delivery/report.ts';

/** @param report what delivery knows of the ways out; undefined before it has started */
export function measureQueue(metrics: Metrics, q: Queryable, report: () => DeliveryReport | undefined): void {
  metrics.gauge({
    name: 'postern_queue_recipients',
    help: 'Recipients that wait in the relay, by status.',
    labels: ['status'],
    read: async () => {
      const { rows } = await q.query<{ status: string; recipients: number }>(countWaiting);
      return rows.map(({ status, recipients }) => ({ labels: { status }, value: recipients }));
    },
  });
  metrics.gauge({
    name: 'postern_queue_oldest_seconds',
    help: 'Delay of the oldest attempt that is due.',
    read: async () => {
      const { rows } = await q.query<{ seconds: number }>(oldestDue);
      return [{ value: rows[0]?.seconds ?? 0 }];
    },
  });
  metrics.gauge({
    name: 'postern_notice_oldest_seconds',
    help: 'How long the notice to a submitter that has waited longest since it was due has waited to be written.',
    read: async () => {
      const { rows } = await q.query<{ seconds: number }>(oldestNotice);
      return [{ value: rows[0]?.seconds ?? 0 }];
    },
  });
  metrics.gauge({
    name: 'postern_sender_domain_fails',
    help: "Whether two looks at the DNS of this sender's domain in a row found something that makes mail fail: 1 or 0.",
    labels: ['domain'],
    read: async () => {
      const { rows } = await q.query<{ domain: string; fails: boolean }>(failingDomains);
      return rows.map(({ domain, fails }) => ({ labels: { domain }, value: fails ? 1 : 0 }));
    },
  });
  metrics.gauge({
    name: 'postern_database_commits_missing_until_seconds',
    help: 'Until when commits are missing in this database, because a standby took over without them; 0 when none are, in seconds since 1970.',
    read: async () => {
      const { rows } = await q.query<{ until: number }>(commitsMissingUntil);
      return [{ value: rows[0]?.until ?? 0 }];
    },
  });
  metrics.gauge({
    name: 'postern_canary_bad',
    help: 'Whether the last two test mails of this domain came into the junk folder, failed DMARC or did not come back: 1 or 0. Absent without two of them.',
    labels: ['domain'],
    read: async () => {
      const { rows } = await q.query<{ domain: string; bad: boolean }>(badCanaries);
      return rows.map(({ domain, bad }) => ({ labels: { domain }, value: bad ? 1 : 0 }));
    },
  });
  metrics.gauge({
    name: 'postern_lane_open',
    help: 'Whether this provider can be used now: 1 or 0.',
    labels: ['lane', 'state'],
    read: async () =>
      (report()?.lanes ?? []).map(({ name, state }) => ({
        labels: { lane: name, state },
        value: state === 'open' ? 1 : 0,
      })),
  });
  metrics.gauge({
    name: 'postern_route_good',
    help: 'Whether this host and port works: 1 or 0.',
    labels: ['lane', 'route'],
    read: async () =>
      (report()?.routes ?? []).map(({ lane, name, state }) => ({
        labels: { lane, route: name },
        value: state === 'good' ? 1 : 0,
      })),
  });
}

const outcomes = ['granted', 'refused', 'unreachable'] as const;

/** Requests for access tokens, by what came of them. */
export function countTokenRequests(metrics: Metrics, lanes: readonly string[]) {
  const count = metrics.counter({
    name: 'postern_oauth2_token_requests_total',
    help: 'Requests for an access token: granted, refused, or the endpoint was unreachable.',
    labels: ['lane', 'outcome'],
  });
  // Known from the start, so that the first one is an increase.
  for (const lane of lanes) for (const outcome of outcomes) count({ lane, outcome }, 0);
  return (lane: string, outcome: (typeof outcomes)[number]) => count({ lane, outcome });
}

// Every branch has its partial index, so that what was finished long ago costs nothing.
const countWaiting = `
  with counted as (
    select status, count(*)::integer as recipients from recipient
      where status in ('queued', 'deferred') group by status
    union all select status, count(*)::integer from recipient where status = 'sending' group by status
    union all select status, count(*)::integer from recipient where status = 'uncertain' group by status
    union all select status, count(*)::integer from recipient where status = 'held' group by status
  )
  select named.status, coalesce(recipients, 0) as recipients
  from unnest('{queued,deferred,sending,uncertain,held}'::mail_status[]) as named (status)
  left join counted using (status)`;

const oldestDue = `
  select coalesce(extract(epoch from now() - min(next_attempt_at))::float8, 0) as seconds
  from unnest('{0,1,2,3,4,5,6,7,8,9}'::smallint[]) as level (priority)
  cross join lateral (
    select next_attempt_at from recipient r
    where r.status in ('queued', 'deferred') and r.priority = level.priority and r.next_attempt_at <= now()
    order by r.next_attempt_at limit 1
  ) first`;

// What was put off is due later than it was at first.
const oldestNotice = `
  select greatest(0, extract(epoch from now() - least(
    (select due_at from notice_owed order by due_at limit 1),
    (select first_due_at from notice_owed where first_due_at is not null order by first_due_at limit 1)
  )))::float8 as seconds`;

const failingDomains = `
  select domain, settled is not distinct from 'fail' as fails from sender_domain
  where named_at > now() - interval '1 day' order by domain limit 100`;

const commitsMissingUntil = `
  select coalesce(extract(epoch from missing_until), 0)::float8 as until from database_identity`;

// One that has not left is no bad one: other alerts speak of that. A quarter of an hour is long enough to come back.
const badCanaries = `
  with run as (
    select c.domain, c.queued_at, row_number() over (partition by c.domain order by c.queued_at desc) as place,
      bool_or(c.result = 'fail' or c.is_junk or (c.returned_at is null and r.status = 'sent')) as bad
    from canary c left join recipient r on r.queue_id = c.queue_id and r.ordinal = 0
    where c.queued_at > now() - interval '7 days' and c.queued_at < now() - interval '15 minutes'
    group by c.domain, c.queued_at
  )
  select domain, bool_and(coalesce(bad, false)) as bad from run where place <= 2
  group by domain having count(*) = 2 order by domain limit 100`;
