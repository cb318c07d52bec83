// The timeline: what happened to a mail, in order. Rows are only ever appended.
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
  const { rows } = await q.query<TimelineEvent>(
    `select v.type, v.at, v.email_id as "emailId", v.queue_id as "queueId", v.recipient, v.detail,
            substring(e.traceparent from 4 for 32) as "traceId"
     from event v left join email e on e.id = v.email_id where v.email_id = $1 order by v.id`,
    [emailId],
  );
  return unfold(rows);
}

/** The same for a message that another application submitted over SMTP: it has a queue id, but no email. */
export async function readMessageTimeline(q: Queryable, queueId: string): Promise<TimelineEvent[]> {
  const { rows } = await q.query<TimelineEvent>(
    `select type, at, email_id as "emailId", queue_id as "queueId", recipient, detail, null as "traceId"
     from event where queue_id = $1 and email_id is null order by id`,
    [queueId],
  );
  return unfold(rows);
}
