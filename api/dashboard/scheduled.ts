// What is scheduled, soonest first, found by words: of a long list the first twenty thousand are read through. What is
// over already stands newest first.
import type { Queryable } from '../../deploy/database.ts';
import type { Status } from '../../relay/client/vocabulary.ts';

export type ScheduledMail = {
  readonly id: string;
  readonly subject: string;
  readonly status: Status;
  readonly paused: boolean;
  readonly reason: string | null;
  readonly due_at: Date;
  /** Of the mail, or of its client's form. */
  readonly time_zone: string | null;
  /** Its own: null when it was given with an offset. */
  readonly own_zone: string | null;
  readonly client_id: string | null;
  readonly key: string | null;
  readonly to: string | null;
  readonly recipient_count: number;
};

export type ScheduledSearch = {
  readonly statuses: readonly Status[];
  readonly text?: string | undefined;
  readonly after?: string | undefined;
};

const readThrough = 20_000;

const over: ReadonlySet<Status> = new Set([
  'sent',
  'bounced',
  'suppressed',
  'expired',
  'cancelled',
  'captured',
]);

export async function findScheduled(
  q: Queryable,
  { statuses, text, after }: ScheduledSearch,
  limit: number,
): Promise<ScheduledMail[]> {
  const values = [statuses, after ?? null, text?.trim() ? likeIt(text) : null, readThrough, limit];
  const { rows } = await q.query<ScheduledMail>(
    statuses.every((status) => over.has(status)) ? latestFirst : soonestFirst,
    values,
  );
  return rows;
}

const likeIt = (text: string) => `%${text.trim().replaceAll(/[\\%_]/g, '\\$&')}%`;

// One literal for each order: a statement that is whole can be explained by a test. Not named, so that the planner sees
// which statuses are asked for, and takes the small index of what is not finished.
const soonestFirst = `
  with read as materialized (
    select e.id, e.subject, e.status, e.paused, e.reason, e.due_at, e.time_zone, e.client_id, e.entry_key, e.recipients
    from email e
    where e.kind = 'scheduled' and e.status = any($1::mail_status[])
      and ($2::uuid is null or (e.due_at, e.id) > (select last.due_at, last.id from email last where last.id = $2))
    order by e.due_at, e.id limit $4
  )
  select e.id, e.subject, e.status, e.paused, e.reason, e.due_at, coalesce(e.time_zone, c.time_zone) as time_zone,
    e.time_zone as own_zone, e.client_id, e.entry_key as key, e.recipients -> 0 ->> 'address' as "to",
    jsonb_array_length(e.recipients) as recipient_count
  from read e left join client_email_config c on c.client_id = e.client_id
  where $3::text is null or e.subject ilike $3 or e.recipients::text ilike $3 or e.client_id ilike $3 or e.entry_key ilike $3
  order by e.due_at, e.id limit $5`;

const latestFirst = `
  with read as materialized (
    select e.id, e.subject, e.status, e.paused, e.reason, e.due_at, e.time_zone, e.client_id, e.entry_key, e.recipients
    from email e
    where e.kind = 'scheduled' and e.status = any($1::mail_status[])
      and ($2::uuid is null or (e.due_at, e.id) < (select last.due_at, last.id from email last where last.id = $2))
    order by e.due_at desc, e.id desc limit $4
  )
  select e.id, e.subject, e.status, e.paused, e.reason, e.due_at, coalesce(e.time_zone, c.time_zone) as time_zone,
    e.time_zone as own_zone, e.client_id, e.entry_key as key, e.recipients -> 0 ->> 'address' as "to",
    jsonb_array_length(e.recipients) as recipient_count
  from read e left join client_email_config c on c.client_id = e.client_id
  where $3::text is null or e.subject ilike $3 or e.recipients::text ilike $3 or e.client_id ilike $3 or e.entry_key ilike $3
  order by e.due_at desc, e.id desc limit $5`;
