// Mails to oneself that are read back. The relay sends and reads them; others read what it found, and ask for one.
import { ring } from '../../../deploy/bell.ts';
import type { Queryable } from '../../../deploy/database.ts';

type CanaryResult = 'pass' | 'note' | 'warn' | 'fail' | 'unknown' | 'not-applicable';

export type CanaryReport = {
  readonly domain: string;
  readonly recipient: string;
  /** Its queue id, by which its own way can be followed. */
  readonly queueId: string;
  readonly queuedAt: Date;
  /** `missing`: it left a quarter of an hour ago, and is not in the mailbox. */
  readonly state: 'unsent' | 'waiting' | 'returned' | 'missing';
  readonly returnedAt: Date | null;
  /** From the provider's 250 to the mailbox, by two clocks. */
  readonly delaySeconds: number | null;
  readonly folder: string | null;
  readonly isJunk: boolean | null;
  readonly result: CanaryResult | null;
  readonly findings: readonly {
    readonly check: string;
    readonly result: CanaryResult;
    readonly cause: string;
    readonly title: string;
    readonly fix: string | null;
    readonly evidence: readonly string[];
  }[];
};

/** Somebody who presses a button again and again sends no mail each time. */
export const canaryPauseMinutes = 10;
const missingAfter = `interval '15 minutes'`;
const keptFor = `interval '90 days'`;

/** Those of the last run for each domain. */
export async function listCanaries(q: Queryable): Promise<readonly CanaryReport[]> {
  const { rows } = await q.query<CanaryReport>({
    name: 'list-canaries',
    text: `
      select c.domain, c.recipient, c.queue_id as "queueId", c.queued_at as "queuedAt",
        c.returned_at as "returnedAt", c.folder, c.is_junk as "isJunk", c.result, c.findings,
        case when c.returned_at is not null then 'returned'
             when r.status is not null and r.status <> 'sent' then 'unsent'
             when coalesce(r.finished_at, c.queued_at) < now() - ${missingAfter} then 'missing'
             else 'waiting' end as state,
        case when c.returned_at is not null then
          greatest(0, extract(epoch from c.returned_at - coalesce(r.finished_at, c.queued_at)))::float8
        end as "delaySeconds"
      from sender_domain d
      cross join lateral (
        select max(queued_at) as at from canary newest where newest.domain = d.domain
      ) run
      join canary c on c.domain = d.domain and c.queued_at = run.at
      left join recipient r on r.queue_id = c.queue_id and r.ordinal = 0
      where d.named_at > now() - interval '1 day'
      order by c.domain, c.recipient limit 500`,
  });
  return rows;
}

/**
 * Asks a relay for a run. Answers the database's time of the question; `too-soon` when the last one was a moment ago;
 * undefined for a domain of no sender.
 */
export async function askCanary(q: Queryable, domain: string): Promise<Date | 'too-soon' | undefined> {
  const { rows } = await q.query<{ at: Date; isAsked: boolean }>(
    `with asked as (
       update sender_domain d set canary_asked_at = now()
       where domain = $1 and named_at > now() - interval '1 day'
         and not exists (select from canary c where c.domain = d.domain
           and c.queued_at > now() - make_interval(mins => $2))
       returning 1)
     select now() as at, exists (select from asked) as "isAsked" from sender_domain
     where domain = $1 and named_at > now() - interval '1 day'`,
    [domain, canaryPauseMinutes],
  );
  const row = rows[0];
  if (row?.isAsked) await ring(q, 'relay');
  return row && (row.isAsked ? row.at : 'too-soon');
}

/** Asks for a run of every domain that had none for a day. */
export async function askDailyCanaries(q: Queryable): Promise<void> {
  await q.query(
    `update sender_domain d set canary_asked_at = now()
     where canary_asked_at is null and named_at > now() - interval '1 day'
       and not exists (select from canary c where c.domain = d.domain and c.queued_at > now() - interval '1 day')`,
  );
}

/**
 * In a transaction: the domain is this relay's until its end. Waits for the row: whoever looks at the domain in DNS may
 * have it for a moment, and nobody would ask again for ten minutes.
 */
export async function takeCanary(tx: Queryable): Promise<string | undefined> {
  const { rows } = await tx.query<{ domain: string }>({
    name: 'take-canary',
    text: `update sender_domain set canary_asked_at = null
           where domain = (select domain from sender_domain where canary_asked_at <= now()
                           order by canary_asked_at limit 1 for update)
           returning domain`,
  });
  return rows[0]?.domain;
}

export async function storeCanary(
  tx: Queryable,
  canary: { token: string; domain: string; sender: string; recipient: string; queueId: string },
): Promise<void> {
  const { token, domain, sender, recipient, queueId } = canary;
  await tx.query(
    'insert into canary (token, domain, sender, recipient, queue_id) values ($1, $2, $3, $4, $5)',
    [token, domain, sender, recipient, queueId],
  );
  await tx.query(`delete from canary where queued_at < now() - ${keptFor}`);
}

export type AwaitedCanary = {
  readonly domain: string;
  readonly sender: string;
  readonly recipient: string;
  readonly queueId: string;
};

/** Undefined for a token that nobody gave, and for one that came back before. */
export async function findCanary(q: Queryable, token: string): Promise<AwaitedCanary | undefined> {
  const { rows } = await q.query<AwaitedCanary>(
    `select domain, sender, recipient, queue_id as "queueId" from canary where token = $1 and returned_at is null`,
    [token],
  );
  return rows[0];
}

/** It is back. The first copy counts: mail may be forwarded by two ways. */
export async function settleCanary(
  q: Queryable,
  token: string,
  found: {
    readonly arrivedAt: Date | undefined;
    readonly folder: string;
    readonly isJunk: boolean;
    readonly result: CanaryResult;
    readonly findings: CanaryReport['findings'];
    readonly selectors: readonly string[];
  },
): Promise<void> {
  await q.query(
    `update canary set returned_at = greatest(queued_at, least(now(), coalesce($2::timestamptz, now()))),
       folder = $3, is_junk = $4, result = $5, findings = $6, selectors = $7
     where token = $1 and returned_at is null`,
    [
      token,
      found.arrivedAt ?? null,
      found.folder,
      found.isJunk,
      found.result,
      JSON.stringify(found.findings),
      found.selectors,
    ],
  );
}

/** The selectors that the provider really signs with, as the last canary showed. */
export async function seenSelectors(q: Queryable, domain: string): Promise<readonly string[]> {
  const { rows } = await q.query<{ selectors: string[] }>(
    `select selectors from canary where domain = $1 and returned_at is not null
     order by queued_at desc limit 1`,
    [domain],
  );
  return rows[0]?.selectors ?? [];
}
