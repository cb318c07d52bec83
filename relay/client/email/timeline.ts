// The timeline: what happened to a mail, in order. Its rows are only ever appended. That a mail was accepted, and that
// the provider took it at the first go or a later one, has no row: message and recipient tell it.
import type { Queryable } from '../../../deploy/database.ts';
import type { TimelineEvent } from '../vocabulary.ts';
import { unfold } from './folded-attempt.ts';

/** An event to append. It is about an email, a queue id, or both. */
export type NewEvent = {
  readonly type: TimelineEvent['type'];
  readonly emailId?: string | null | undefined;
  readonly queueId?: string | null | undefined;
  readonly recipient?: string | null | undefined;
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
};

/** Appends events in the given order, stamped by the database's clock, with one statement. */
export async function appendEvents(q: Queryable, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await q.query({
    name: 'append-events',
    text: `
      insert into event (type, email_id, queue_id, recipient, detail)
      select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[])`,
    values: [
      events.map((event) => event.type),
      events.map((event) => event.emailId ?? null),
      events.map((event) => event.queueId ?? null),
      events.map((event) => event.recipient ?? null),
      events.map((event) => JSON.stringify(event.detail ?? {})),
    ],
  });
}

/** Everything that happened to an email, oldest first. */
export async function readTimeline(q: Queryable, emailId: string): Promise<TimelineEvent[]> {
  const { rows } = await q.query<Row>({ text: timelineOf('email'), values: [emailId] });
  return inOrder(rows);
}

/** The same for a message that another application submitted over SMTP: it has a queue id, but no email. */
export async function readMessageTimeline(q: Queryable, queueId: string): Promise<TimelineEvent[]> {
  const { rows } = await q.query<Row>({ text: timelineOf('message'), values: [queueId] });
  return inOrder(rows);
}

type Row = TimelineEvent & {
  /** Null for what message and recipient tell. */
  readonly id: string | null;
};

const wheres = {
  email: { message: 'email_id = $1', event: 'v.email_id = $1' },
  message: { message: 'queue_id = $1 and email_id is null', event: 'v.queue_id = $1 and v.email_id is null' },
} as const;

/** Rows in their order, then what message and recipients tell, in theirs. */
function timelineOf(what: keyof typeof wheres): string {
  const where = wheres[what];
  const ids = (from: string) => `${from}.email_id as "emailId", ${from}.queue_id as "queueId"`;
  return `
    with mine as materialized (
      select queue_id, email_id, received_at, credential, size, submitted from message where ${where.message}
    ), told as (
      select v.id, 0 as step, null::smallint as ordinal, v.type, v.at, ${ids('v')}, v.recipient, v.detail
      from event v where ${where.event}
      union all
      select null, 1, null, 'queued', m.received_at, ${ids('m')}, null,
        jsonb_build_object('credential', m.credential, 'size', m.size) || m.submitted
      from mine m where m.submitted is not null
      union all
      select null, 2, r.ordinal, 'sent', r.finished_at, ${ids('r')}, r.address,
        jsonb_strip_nulls(jsonb_build_object(
          'route', r.route, 'code', r.reply_code, 'reply', r.reply, 'enhanced', r.enhanced_code,
          'providerQueueId', r.provider_queue_id) || r.sent_by)
      from mine m join recipient r on r.queue_id = m.queue_id where r.sent_by is not null
    )
    select t.id, t.type, t.at, t."emailId", t."queueId", t.recipient, t.detail,
      substring(e.traceparent from 4 for 32) as "traceId"
    from told t left join email e on e.id = t."emailId"
    order by step, id, ordinal`;
}

/** Puts what has no row where it happened: before rows that are younger, and mail is sent after what its attempt tried. */
function inOrder(rows: readonly Row[]): TimelineEvent[] {
  const events = rows.filter(({ id }) => id !== null);
  for (const row of rows.filter(({ id }) => id === null)) {
    const isLater = (event: Row) => (row.type === 'queued' ? event.at >= row.at : event.at > row.at);
    const place = events.findIndex(isLater);
    events.splice(place < 0 ? events.length : place, 0, row);
  }
  return unfold(events.map(({ id: _, ...event }) => event));
}
