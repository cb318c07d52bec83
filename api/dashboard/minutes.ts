// What happened in each minute: counted once when the minute is over, so that the plots of a day stay cheap.
import type { Queryable } from '../../deploy/database.ts';

export type Minute = {
  readonly at: Date;
  readonly sent: number;
  readonly bounced: number;
  readonly expired: number;
  readonly other: number;
  /** Milliseconds from due to the provider's 250; null when nothing was sent. */
  readonly p50: number | null;
  readonly p99: number | null;
};

// A transaction that finished a mail may commit a little later than the time it wrote down.
const settlesSeconds = 30;
const keptDays = 7;

const outcomes = `
  date_trunc('minute', finished_at, 'UTC') as minute,
  count(*) filter (where status = 'sent')::integer as sent,
  count(*) filter (where status = 'bounced')::integer as bounced,
  count(*) filter (where status = 'expired')::integer as expired,
  count(*) filter (where status in ('cancelled', 'captured', 'suppressed'))::integer as other,
  percentile_cont(0.5) within group (order by extract(epoch from finished_at - due_at)::float8 * 1000)
    filter (where status = 'sent') as lateness_p50_ms,
  percentile_cont(0.99) within group (order by extract(epoch from finished_at - due_at)::float8 * 1000)
    filter (where status = 'sent') as lateness_p99_ms`;

/** Counts the minutes of the last day that are over and not counted yet. Repeating it changes nothing. */
export async function countMinutes(q: Queryable): Promise<void> {
  await q.query(
    `with forgotten as (
       delete from mail_minute where minute < now() - make_interval(days => $2)
     ), counted as (
       -- A minute without mail is a row too: the next look begins behind it.
       select minute from mail_minute order by minute desc limit 1
     ), bounds as (
       select greatest(date_trunc('minute', now() - interval '1 day', 'UTC'),
                (select minute + interval '1 minute' from counted)) as from_at,
              date_trunc('minute', now() - make_interval(secs => $1), 'UTC') as until_at
     ), happened as (
       select ${outcomes} from email, bounds
       where finished_at >= bounds.from_at and finished_at < bounds.until_at
       group by 1
     )
     insert into mail_minute (minute, sent, bounced, expired, other, lateness_p50_ms, lateness_p99_ms)
     select minute, coalesce(sent, 0), coalesce(bounced, 0), coalesce(expired, 0), coalesce(other, 0),
            lateness_p50_ms, lateness_p99_ms
     from happened right join (
       select generate_series(from_at, until_at - interval '1 minute', interval '1 minute') as minute from bounds
     ) all_minutes using (minute)
     on conflict do nothing`,
    [settlesSeconds, keptDays],
  );
}

/** The minutes since then in which something happened, oldest first; those that are not counted yet included. */
export async function readMinutes(q: Queryable, hours: number): Promise<Minute[]> {
  const { rows } = await q.query<Minute>(
    `select minute as at, sent, bounced, expired, other, lateness_p50_ms as p50, lateness_p99_ms as p99
     from mail_minute
     where minute >= now() - make_interval(hours => $1) and sent + bounced + expired + other > 0
     union all
     select * from (
       select ${outcomes} from email
       where finished_at >= greatest(now() - interval '5 minutes',
         (select max(minute) + interval '1 minute' from mail_minute))
       group by 1
     ) fresh
     order by 1`,
    [hours],
  );
  return rows;
}
