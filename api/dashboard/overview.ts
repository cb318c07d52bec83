// Can mail leave right now, and if not, why: everything the first page says, in a few indexed looks.
import type { Queryable } from '../../deploy/database.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { type Heartbeat, type RelayReport, readHeartbeats } from '../../relay/client/status/heartbeat.ts';
import {
  countBouncedAfterSending,
  countReportsWithoutEffect,
  type MailboxAddress,
  type MailboxState,
  type ReportsWithoutEffect,
  readMailbox,
} from '../../relay/client/status/mailbox.ts';
import type { CauseWords } from '../../relay/client/status/own-causes.ts';
import { describeTrouble, readTroubledWebhooks } from '../../relay/client/webhook/trouble.ts';

// Beyond this a number says "very many", which is all that matters, and counting on would take its time.
const countedUpTo = 100_000;
// Whose a recipient is stands in its row and in no index, so of a longer queue only this much is looked at.
const lookedAtUpTo = 20_000;

export type Overview = {
  readonly at: Date;
  /** Emails by status; `submitted` counts recipients of mail that other applications handed in over SMTP, at least. */
  readonly waiting: Readonly<Record<string, number>>;
  readonly submitted: Readonly<Record<string, number>>;
  readonly countedUpTo: number;
  /** What was finished within a day. */
  readonly today: Readonly<Record<'sent' | 'bounced' | 'expired' | 'other', number>>;
  /** Recipients a delivery report told of after their 250; null while no mailbox is read. */
  readonly bouncedAfterSending: { readonly day: number; readonly dayBefore: number } | null;
  /** The mailbox for delivery reports; null while none is read. */
  readonly mailbox: OverviewMailbox | null;
  /** Endpoints for events that are disabled or fail. */
  readonly webhooks: readonly { readonly id: string; readonly title: string; readonly fix: string }[];
  /** Held mail by reason, most first. */
  readonly held: readonly {
    readonly reason: string;
    readonly count: number;
    readonly detail: string | null;
  }[];
  /** When the oldest mail that should have left by now was due; null when there is none. */
  readonly oldestDue: Date | null;
  readonly nextDue: Date | null;
  readonly lastSent: { readonly at: Date; readonly id: string } | null;
  readonly processes: readonly Omit<Heartbeat, 'report'>[];
  readonly relay: RelayReport | null;
  readonly relayAlive: boolean;
  readonly worker: Readonly<Record<string, unknown>> | null;
  /** What each cause named above means and what to do about it. */
  readonly causes: Readonly<Record<string, CauseWords>>;
};

type OverviewMailbox = MailboxAddress &
  MailboxState & { readonly withoutEffect: readonly ReportsWithoutEffect[] };

export async function readOverview(q: Queryable): Promise<Overview> {
  const heartbeats = await readHeartbeats(q);
  const relayBeat = heartbeats.find(({ process }) => process === 'relay');
  const relay = (relayBeat?.report as RelayReport | undefined) ?? null;
  const [counts, held, times, today, mailbox, late, webhooks] = await Promise.all([
    countWaiting(q),
    countHeld(q),
    readTimes(q),
    readToday(q),
    relay?.mailbox ? describeMailbox(q, relay.mailbox) : null,
    relay?.mailbox ? countBouncedAfterSending(q) : null,
    readTroubledWebhooks(q),
  ]);
  const named = [
    ...[...(relay?.routes ?? []), ...(relay?.lanes ?? []), ...(relay?.problems ?? [])].map(
      ({ cause }) => cause,
    ),
    ...(relay?.lanes ?? []).flatMap(({ held_senders }) => held_senders.map(({ cause }) => cause)),
    ...held.map(({ reason }) => reason),
    mailbox?.cause,
    ...(relay?.missing.length ? ['env-missing'] : []),
  ];
  return {
    at: times.now,
    ...counts,
    countedUpTo,
    today,
    bouncedAfterSending: late,
    mailbox,
    webhooks: webhooks.map((webhook) => ({ id: webhook.id, ...describeTrouble(webhook) })),
    held,
    oldestDue: times.oldestDue,
    nextDue: times.nextDue,
    lastSent: times.lastSent,
    processes: heartbeats.map(({ report: _, ...beat }) => beat),
    relay,
    relayAlive: relayBeat?.alive ?? false,
    worker: heartbeats.find(({ process, alive }) => process === 'worker' && alive)?.report ?? null,
    causes: await readCauses(q, named),
  };
}

async function describeMailbox(q: Queryable, address: MailboxAddress): Promise<OverviewMailbox> {
  const [state, withoutEffect] = await Promise.all([readMailbox(q, address), countReportsWithoutEffect(q)]);
  return { ...address, ...state, withoutEffect };
}

type StatusCount = { source: 'email' | 'submitted'; status: string; count: number };

async function countWaiting(q: Queryable): Promise<Pick<Overview, 'waiting' | 'submitted'>> {
  const { rows } = await q.query<StatusCount>({
    name: 'overview-waiting',
    text: `
      select 'email' as source, s.status, c.count
      from unnest('{uncertain,held,sending,deferred,queued,pending}'::mail_status[]) as s (status)
      cross join lateral (
        select count(*)::integer as count from (select from email e where e.status = s.status limit $1) counted
      ) c
      union all
      select 'submitted', status, count(*)::integer from (
        (select status, email_id from recipient where status in ('queued', 'deferred') limit $2)
        union all (select status, email_id from recipient where status = 'sending' limit $2)
        union all (select status, email_id from recipient where status = 'uncertain' limit $2)
        union all (select status, email_id from recipient where status = 'held' limit $2)
      ) looked_at
      where email_id is null
        -- Not "exists": that forgets the order, and may read all of the table where nothing came over SMTP.
        and (select queue_id from message where email_id is null order by queue_id desc limit 1) is not null
      group by status`,
    values: [countedUpTo, lookedAtUpTo],
  });
  const of = (wanted: StatusCount['source']) =>
    Object.fromEntries(
      rows.filter(({ source }) => source === wanted).map(({ status, count }) => [status, count]),
    );
  return { waiting: of('email'), submitted: of('submitted') };
}

async function countHeld(q: Queryable): Promise<Overview['held']> {
  const { rows } = await q.query<Overview['held'][number]>({
    name: 'overview-held',
    text: `
      select reason, count(*)::integer as count, min(detail) as detail from (
        (select reason, reason_detail as detail from email where status = 'held' limit 5000)
        union all
        (select reason, reason_detail from recipient where status = 'held' and email_id is null limit 5000)
      ) held group by reason order by count(*) desc limit 8`,
  });
  return rows;
}

type Times = Pick<Overview, 'oldestDue' | 'nextDue' | 'lastSent'> & { readonly now: Date };

async function readTimes(q: Queryable): Promise<Times> {
  const { rows } = await q.query<{
    now: Date;
    outbox: Date | null;
    queue: Date | null;
    next: Date | null;
    last_at: Date | null;
    last_id: string | null;
  }>({
    name: 'overview-times',
    text: `
      select now(),
        (select due_at from email where status = 'pending' and not paused and next_hand_over_at <= now()
         order by next_hand_over_at limit 1) as outbox,
        -- Queue ids sort by their time of arrival; the oldest of each status is one look.
        (select min(m.received_at) from (
           (select queue_id from recipient where status in ('queued', 'deferred') order by priority, next_attempt_at limit 50)
         ) waiting join message m using (queue_id)) as queue,
        (select next_hand_over_at from email where status = 'pending' and not paused and next_hand_over_at > now()
         order by next_hand_over_at limit 1) as next,
        last.finished_at as last_at, last.id as last_id
      from (select 1) one left join lateral (
        select e.finished_at, e.id from email e
        where e.finished_at is not null and e.status = 'sent' order by e.finished_at desc limit 1
      ) last on true`,
  });
  const row = rows[0];
  const overdue = [row?.outbox, row?.queue].filter((time) => time instanceof Date);
  return {
    now: row?.now ?? new Date(),
    oldestDue: overdue.length === 0 ? null : new Date(Math.min(...overdue.map(Number))),
    nextDue: row?.next ?? null,
    lastSent: row?.last_at && row.last_id ? { at: row.last_at, id: row.last_id } : null,
  };
}

async function readToday(q: Queryable): Promise<Overview['today']> {
  const { rows } = await q.query<Overview['today']>({
    name: 'overview-today',
    text: `
      select coalesce(sum(sent), 0)::integer as sent, coalesce(sum(bounced), 0)::integer as bounced,
             coalesce(sum(expired), 0)::integer as expired, coalesce(sum(other), 0)::integer as other
      from (
        select sent, bounced, expired, other from mail_minute where minute >= now() - interval '1 day'
        union all
        select count(*) filter (where status = 'sent'), count(*) filter (where status = 'bounced'),
               count(*) filter (where status = 'expired'), count(*) filter (where status in ('cancelled', 'captured', 'suppressed'))
        from email where finished_at >= greatest(now() - interval '5 minutes',
          (select max(minute) + interval '1 minute' from mail_minute))
      ) minutes`,
  });
  return rows[0] ?? { sent: 0, bounced: 0, expired: 0, other: 0 };
}
