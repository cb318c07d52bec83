// What DNS says of the domains that mail is sent from. The relay looks, because it knows its senders and its provider;
// others read what it found, and ask it to look again.
import { ring } from '../../../deploy/bell.ts';
import type { Queryable } from '../../../deploy/database.ts';

type DomainResult = 'pass' | 'note' | 'warn' | 'fail' | 'unknown' | 'not-applicable';

export type DomainReport = {
  readonly domain: string;
  /** Key of the provider that sends for it; null where it is none we know. */
  readonly provider: string | null;
  /** Null until the first look. */
  readonly checkedAt: Date | null;
  readonly result: DomainResult | null;
  /** What two looks in a row agreed on, and since when: what alerts and events tell. */
  readonly settled: DomainResult | null;
  readonly settledAt: Date | null;
  readonly findings: readonly {
    readonly check: string;
    readonly result: DomainResult;
    readonly cause: string;
    readonly title: string;
    readonly fix: string | null;
    readonly record: {
      readonly name: string;
      readonly type: string;
      readonly value: string;
      readonly host: string;
    } | null;
    readonly evidence: readonly string[];
  }[];
  readonly receivers: readonly {
    readonly receiver: string;
    readonly answer: 'yes' | 'no' | 'unknown';
    readonly says: string;
    readonly codes: readonly string[];
  }[];
};

const columns = `domain, provider, checked_at as "checkedAt", result, settled, settled_at as "settledAt", findings, receivers`;

// A sender that was taken out of the settings is forgotten after a day: replicas may run with older ones meanwhile.
const forgottenAfter = `interval '1 day'`;
// Whoever takes a look holds it for so long; a relay that died in one keeps the next from it no longer.
const lookLasts = `interval '2 minutes'`;

export async function listDomains(q: Queryable): Promise<readonly DomainReport[]> {
  const { rows } = await q.query<DomainReport>(
    `select ${columns} from sender_domain where named_at > now() - ${forgottenAfter} order by domain limit 100`,
  );
  return rows;
}

/** Asks a relay for a fresh look. Answers the database's time of the question; undefined for a domain of no sender. */
export async function askDomain(q: Queryable, domain: string): Promise<Date | undefined> {
  const { rows } = await q.query<{ at: Date }>(
    `update sender_domain set next_check_at = least(next_check_at, now())
     where domain = $1 and named_at > now() - ${forgottenAfter} returning now() as at`,
    [domain],
  );
  if (rows[0]) await ring(q, 'relay');
  return rows[0]?.at;
}

/** What was found after this time; undefined until then. */
export async function readDomain(
  q: Queryable,
  domain: string,
  since: Date,
): Promise<DomainReport | undefined> {
  const { rows } = await q.query<DomainReport>(
    `select ${columns} from sender_domain where domain = $1 and checked_at >= $2`,
    [domain, since],
  );
  return rows[0];
}

/**
 * Names the domains that this relay sends from, and forgets those that none has named for a day.
 *
 * @param onlyWhenAsked no look at them is due until somebody asks for one
 */
export async function nameDomains(
  q: Queryable,
  domains: readonly { readonly domain: string; readonly provider: string | null }[],
  { onlyWhenAsked }: { onlyWhenAsked: boolean },
): Promise<void> {
  await q.query(
    `insert into sender_domain as known (domain, provider, next_check_at)
     select domain, provider, case when $3 then 'infinity' else now() end from unnest($1::text[], $2::text[]) as named (domain, provider)
     on conflict (domain) do update set named_at = now(), provider = excluded.provider,
       next_check_at = case when known.next_check_at = 'infinity' then excluded.next_check_at
         else known.next_check_at end`,
    [domains.map(({ domain }) => domain), domains.map(({ provider }) => provider), onlyWhenAsked],
  );
  await q.query(`delete from sender_domain where named_at < now() - ${forgottenAfter}`);
}

export type DueDomain = Pick<DomainReport, 'domain' | 'provider' | 'result' | 'settled'>;

/** A domain that is due for a look: it is this relay's for two minutes. */
export async function takeDueDomain(q: Queryable): Promise<DueDomain | undefined> {
  const { rows } = await q.query<DueDomain>({
    name: 'take-due-domain',
    text: `update sender_domain set next_check_at = now() + ${lookLasts}
           where domain = (select domain from sender_domain where next_check_at <= now()
                           order by next_check_at limit 1 for update skip locked)
           returning domain, provider, result, settled`,
  });
  return rows[0];
}

/** @param nextInSeconds until the next look; null when somebody has to ask for it */
export async function storeDomain(
  q: Queryable,
  found: Pick<DomainReport, 'domain' | 'result' | 'settled' | 'findings' | 'receivers'> & {
    readonly nextInSeconds: number | null;
  },
): Promise<void> {
  await q.query(
    `update sender_domain set checked_at = now(), result = $2, findings = $4, receivers = $5,
       settled_at = case when settled is distinct from $3 then now() else settled_at end, settled = $3,
       next_check_at = coalesce(now() + make_interval(secs => $6), 'infinity')
     where domain = $1`,
    [
      found.domain,
      found.result,
      found.settled,
      JSON.stringify(found.findings),
      JSON.stringify(found.receivers),
      found.nextInSeconds,
    ],
  );
}
