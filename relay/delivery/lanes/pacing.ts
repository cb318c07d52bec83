// Hourly and daily limits of a credential, counted for all relays together, in recipients as providers count.
import type { Database, Queryable } from '../../../deploy/database.ts';

export type Limits = { readonly perHour?: number | undefined; readonly perDay?: number | undefined };

export type Allowance = {
  readonly granted: boolean;
  /** When it was refused: seconds until something becomes free again. */
  readonly retryInSeconds: number;
};

/** The last tenth of a limit is kept for mail that people wait for. */
const keptForUrgent = 0.1;

/** How many recipients mail of this priority may still use. Pure. */
export function remaining(limits: Limits, used: { hour: number; day: number }, isUrgent: boolean): number {
  const share = isUrgent ? 1 : 1 - keptForUrgent;
  const left = (limit: number | undefined, spent: number) =>
    limit === undefined ? Number.POSITIVE_INFINITY : Math.floor(limit * share) - spent;
  return Math.min(left(limits.perHour, used.hour), left(limits.perDay, used.day));
}

/**
 * Asks for `recipients` of the limits and, when they are granted, counts them. A mail with more recipients than the
 * whole limit goes when nothing else has used it.
 */
export async function spend(
  database: Database,
  lane: string,
  limits: Limits,
  { recipients, isUrgent }: { recipients: number; isUrgent: boolean },
): Promise<Allowance> {
  return database.transaction(async (tx) => {
    // The next statement must see what the one before us has counted.
    await tx.query('select from lane where key = $1 for update', [lane]);
    const { rows } = await tx.query<{ hour: number; day: number; hourFrees: number; dayFrees: number }>(
      `select coalesce(sum(recipients) filter (where minute > now() - interval '1 hour'), 0)::integer as hour,
         coalesce(sum(recipients), 0)::integer as day,
         coalesce(extract(epoch from min(minute) filter (where minute > now() - interval '1 hour')
           + interval '1 hour' - now()), 60)::float8 as "hourFrees",
         coalesce(extract(epoch from min(minute) + interval '1 day' - now()), 60)::float8 as "dayFrees"
       from lane_usage where lane = $1 and minute > now() - interval '1 day'`,
      [lane],
    );
    const used = rows[0] ?? { hour: 0, day: 0, hourFrees: 60, dayFrees: 60 };
    const left = remaining(limits, used, isUrgent);
    const isAlone = used.hour === 0 && used.day === 0;
    if (recipients > left && !isAlone) {
      const isDaily = remaining({ perDay: limits.perDay }, used, isUrgent) < recipients;
      return { granted: false, retryInSeconds: Math.max(isDaily ? used.dayFrees : used.hourFrees, 1) };
    }
    await count(tx, lane, recipients);
    return { granted: true, retryInSeconds: 0 };
  });
}

/** Gives back what was counted for recipients that the provider never got. */
export async function refund(q: Queryable, lane: string, recipients: number): Promise<void> {
  await count(q, lane, -recipients);
}

async function count(q: Queryable, lane: string, recipients: number): Promise<void> {
  await q.query(
    `insert into lane_usage as u (lane, minute, recipients) values ($1, date_trunc('minute', now()), $2)
     on conflict (lane, minute) do update set recipients = u.recipients + excluded.recipients`,
    [lane, recipients],
  );
}

/** Forgets what no limit looks at any more. */
export async function forgetUsage(q: Queryable): Promise<void> {
  await q.query(`delete from lane_usage where minute < now() - interval '25 hours'`);
}
