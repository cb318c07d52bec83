// Logging in to submit: right passwords pass from where they have passed before, whatever others try; everybody else
// waits after too many failures, with the right password too, so that the answer tells a guesser nothing. Counts and
// proofs are in the database, because a client may meet another relay next time; without it memory has to do.
import { createHash } from 'node:crypto';
import type { Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { Credentials } from './credentials.ts';
import { type Count, nameKey, networkKey, networkOf, openThrottle, windowMs } from './throttle.ts';

export type LoginAttempt = {
  /** Whatever stands for the session: the same wrong pair counts once in it. */
  readonly session: object;
  readonly address: string;
  readonly name: string;
  readonly password: string;
};

export type LoginOutcome =
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'failed' }
  | { readonly outcome: 'wait'; readonly seconds: number };

export type Logins = {
  /** Never rejects. */
  judge(attempt: LoginAttempt): Promise<LoginOutcome>;
};

/** How long a proof is believed without asking again; also how often it is written anew. */
const believedMs = 24 * 60 * 60_000;
const mostBelieved = 10_000;
/** Failures that reach the database in a second; a flood beyond that is counted here only. */
const mostWritesPerSecond = 20;

export function openLogins(q: Queryable, credentials: Credentials, log: Log): Logins {
  const throttle = openThrottle();
  const believed = new Map<string, number>();
  const tried = new WeakMap<object, Set<string>>();
  let second = 0;
  let writes = 0;

  async function judgeRight(network: string, name: string, now: number): Promise<LoginOutcome> {
    const pair = `${name} ${network}`;
    const believedAt = believed.get(pair);
    if (believedAt !== undefined && believedAt + believedMs > now) return { outcome: 'passed' };
    const known = await tryTo(() => readLogin(q, network, name));
    if (!known?.proven) {
      for (const [key, count] of known?.counts ?? []) throttle.learn(key, asOf(count, now));
      const seconds = throttle.wait(network, name, now);
      if (seconds > 0) return { outcome: 'wait', seconds };
      // Only the first time: an application that logs in all day must not clear the count of who guesses beside it.
      throttle.succeeded(network, name);
    }
    await tryTo(() => recordLogin(q, network, name, { forgive: !known?.proven }));
    if (believed.size >= mostBelieved) believed.clear();
    believed.set(pair, now);
    return { outcome: 'passed' };
  }

  async function judgeWrong(
    { session, name, password }: LoginAttempt,
    network: string,
    now: number,
  ): Promise<LoginOutcome> {
    const seconds = throttle.wait(network, name, now);
    if (seconds > 0) return { outcome: 'wait', seconds };
    if (isRepeated(session, name, password)) return { outcome: 'failed' };
    throttle.failed(network, name, now);
    if (!mayWrite(now)) return { outcome: 'failed' };
    const counts = await tryTo(() => count(q, network, name));
    for (const [key, each] of counts ?? []) throttle.learn(key, asOf(each, now));
    return { outcome: 'failed' };
  }

  /** Clients try PLAIN and then LOGIN with the same password: that is one mistake. */
  function isRepeated(session: object, name: string, password: string): boolean {
    const pairs = tried.get(session) ?? new Set();
    tried.set(session, pairs);
    const pair = createHash('sha256').update(`${name}\0${password}`).digest('base64');
    const isKnown = pairs.has(pair);
    pairs.add(pair);
    return isKnown;
  }

  function mayWrite(now: number): boolean {
    const thisSecond = Math.floor(now / 1_000);
    if (thisSecond !== second) writes = 0;
    second = thisSecond;
    return ++writes <= mostWritesPerSecond;
  }

  async function tryTo<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      log.debug({ err: error, event: 'login-uncounted' }, 'Login could not be checked in the database');
      return undefined;
    }
  }

  return {
    judge(attempt) {
      const network = networkOf(attempt.address);
      const now = performance.now();
      return credentials.verify(attempt.name, attempt.password)
        ? judgeRight(network, attempt.name, now)
        : judgeWrong(attempt, network, now);
    },
  };
}

/** Failures, and how many milliseconds ago the count began. */
type Shared = { readonly failures: number; readonly ageMs: number };

const asOf = ({ failures, ageMs }: Shared, now: number): Count => ({ failures, since: now - ageMs });

type CountRow = Shared & { readonly key: string };

const inMap = (rows: readonly CountRow[]) => new Map(rows.map((row) => [row.key, row]));

async function readLogin(
  q: Queryable,
  network: string,
  name: string,
): Promise<{ proven: boolean; counts: Map<string, Shared> }> {
  const { rows } = await q.query<CountRow & { proven: boolean }>({
    name: 'look-up-login',
    text: `
      select exists (select from login_proof where credential = $1 and network = $2
                     and succeeded_at > now() - interval '30 days') as proven,
        f.key, f.failures, extract(epoch from now() - f.since)::float8 * 1000 as "ageMs"
      from (select) one
      left join login_failure f on f.key = any($3) and f.since > now() - $4 * interval '1 millisecond'`,
    values: [name, network, [nameKey(network, name), networkKey(network)], windowMs],
  });
  return { proven: rows[0]?.proven ?? false, counts: inMap(rows.filter(({ key }) => key !== null)) };
}

async function recordLogin(
  q: Queryable,
  network: string,
  name: string,
  { forgive }: { forgive: boolean },
): Promise<void> {
  await q.query({
    name: 'prove-login',
    text: `
      with forgiven as (delete from login_failure where key = $3 and $4)
      insert into login_proof (credential, network) values ($1, $2)
      on conflict (credential, network) do update set succeeded_at = now()`,
    values: [name, network, nameKey(network, name), forgive],
  });
}

async function count(q: Queryable, network: string, name: string): Promise<Map<string, Shared>> {
  const { rows } = await q.query<CountRow>({
    name: 'count-failed-login',
    text: `
      insert into login_failure as f (key, failures)
      select key, 1 from unnest($1::text[]) as failed (key) order by key
      on conflict (key) do update set
        failures = case when f.since > now() - $2 * interval '1 millisecond' then f.failures + 1 else 1 end,
        since = case when f.since > now() - $2 * interval '1 millisecond' then f.since else now() end
      returning key, failures, extract(epoch from now() - since)::float8 * 1000 as "ageMs"`,
    values: [[nameKey(network, name), networkKey(network)], windowMs],
  });
  return inMap(rows);
}
