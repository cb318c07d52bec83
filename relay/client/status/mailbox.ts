// How the reading of delivery reports goes: the relay writes it down, others show it.
import type { Queryable } from '../../../deploy/database.ts';

/** Where the relay reads, by its heartbeat; null while it reads nothing. */
export type MailboxAddress = {
  readonly user: string;
  /** Null when it is not set and the provider's is not known. */
  readonly host: string | null;
  readonly port: number;
};

/** Why a report changed nothing. */
export type WhyUnmatched = 'no-id' | 'mail-unknown' | 'recipient-unknown';

export type MailboxState = {
  readonly state: 'starting' | 'reading' | 'failing';
  readonly cause: string | null;
  /** What the mail server said. */
  readonly detail: string | null;
  readonly since: Date | null;
  readonly lastLookAt: Date | null;
};

export type ReportsWithoutEffect = {
  readonly outcome: 'unmatched' | 'unreadable';
  /** Null for what could not be read. */
  readonly why: WhyUnmatched | null;
  readonly count: number;
  readonly lastAt: Date;
};

/** As far back as the first look goes. */
export const reportsShownDays = 14;
/** More is "very many"; a mailbox that is attacked must not make the overview slow. */
const countedUpTo = 10_000;

/** How it goes; `starting` when no relay has looked yet. */
export async function readMailbox(q: Queryable, { user, host }: MailboxAddress): Promise<MailboxState> {
  const { rows } = await q.query<MailboxState>({
    name: 'read-mailbox',
    text: `select state, cause, detail, since, last_look_at as "lastLookAt" from bounce_mailbox where key = $1`,
    values: [`${user} ${host ?? ''}`],
  });
  return rows[0] ?? { state: 'starting', cause: null, detail: null, since: null, lastLookAt: null };
}

/** Reports of the last 14 days that changed nothing, most first. */
export async function countReportsWithoutEffect(q: Queryable): Promise<readonly ReportsWithoutEffect[]> {
  const { rows } = await q.query<ReportsWithoutEffect>({
    name: 'count-reports-without-effect',
    text: `
      select outcome, why, count(*)::integer as count, max(read_at) as "lastAt" from (
        select outcome, why, read_at from bounce_report
        where outcome <> 'matched' and read_at > now() - make_interval(days => $1)
        order by read_at desc limit $2
      ) newest group by outcome, why order by count(*) desc`,
    values: [reportsShownDays, countedUpTo],
  });
  return rows;
}

/** Recipients that bounced after their 250: within a day, and in the day before. */
export async function countBouncedAfterSending(
  q: Queryable,
): Promise<{ readonly day: number; readonly dayBefore: number }> {
  const { rows } = await q.query<{ day: number; dayBefore: number }>({
    name: 'count-bounced-after-sending',
    text: `
      select count(*) filter (where bounced_at > now() - interval '1 day')::integer as day,
             count(*) filter (where bounced_at <= now() - interval '1 day')::integer as "dayBefore"
      from (select bounced_at from recipient
            where bounced_at is not null and bounced_at > now() - interval '2 days' limit $1) late`,
    values: [100_000],
  });
  return rows[0] ?? { day: 0, dayBefore: 0 };
}
