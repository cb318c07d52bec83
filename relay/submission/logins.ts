// Logging in to submit: right passwords pass from where they have passed before, whatever others try; everybody else
// waits after too many failures, with the right password too, so that the answer tells a guesser nothing. Counts and
// proofs are in the database, because a client may meet another relay next time; without it memory has to do.
import { createHash } from 'node:crypto';
import type { Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { isSecret } from '../client/keys/secret.ts';
import type { Credentials } from './credentials.ts';
import type { KeyAnswer, Keys } from './keys.ts';
import { type Count, nameKey, networkKey, networkOf, openThrottle, windowMs } from './throttle.ts';

export type LoginAttempt = {
  /** Whatever stands for the session: the same wrong pair counts once in it. */
  readonly session: object;
  readonly address: string;
  readonly name: string;
  readonly password: string;
};

export type LoginOutcome =
  /** `credential` is what the mail is kept under. */
  | { readonly outcome: 'passed'; readonly credential: string }
  /** `why` tells whoever had the right secret of a key that does not count. */
  | { readonly outcome: 'failed'; readonly why?: string | undefined }
  /** Nobody can tell, because the database is away. */
  | { readonly outcome: 'unknown' }
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
/** Keys that are looked up in a second for those who would have to wait, in case theirs has passed before. */
const mostLooksPerSecond = 20;

/** Long because its small functions share what was tried before. */
export function openLogins({
  q,
  credentials,
  keys,
  log,
}: {
  q: Queryable;
  credentials: Credentials;
  keys: Keys;
  log: Log;
}): Logins {
  const throttle = openThrottle();
  const believed = new Map<string, number>();
  const tried = new WeakMap<object, Set<string>>();
  const mayWrite = perSecond(mostWritesPerSecond);
  const mayLook = perSecond(mostLooksPerSecond);

  /** @param credential what has passed before, or not: the name, or the key whatever name is used with it */
  async function judgeRight(
    { network, name, credential }: { network: string; name: string; credential: string },
    now: number,
  ): Promise<LoginOutcome> {
    const pair = `${credential} ${network}`;
    const believedAt = believed.get(pair);
    const passed = { outcome: 'passed', credential } as const;
    if (believedAt !== undefined && believedAt + believedMs > now) return passed;
    const known = await tryTo(() => readLogin(q, { network, name, credential }));
    if (!known?.proven) {
      for (const [key, count] of known?.counts ?? []) throttle.learn(key, asOf(count, now));
      const seconds = throttle.wait(network, name, now);
      if (seconds > 0) return { outcome: 'wait', seconds };
      // Only the first time: an application that logs in all day must not clear the count of who guesses beside it.
      throttle.succeeded(network, name);
    }
    await tryTo(() => recordLogin(q, { network, name, credential, forgive: !known?.proven }));
    if (believed.size >= mostBelieved) believed.clear();
    believed.set(pair, now);
    return passed;
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

  async function judgeKey(attempt: LoginAttempt, network: string, now: number): Promise<LoginOutcome> {
    const { session, name, password } = attempt;
    const seconds = throttle.wait(network, name, now);
    if (seconds > 0 && !mayLook(now)) return { outcome: 'wait', seconds };
    let answer: KeyAnswer;
    try {
      answer = await keys.find(session, password);
    } catch (error) {
      log.warn(
        { err: error, event: 'key-unknown' },
        'A key could not be looked up; the client has to try again',
      );
      return { outcome: 'unknown' };
    }
    if (answer.outcome === 'refused') {
      const wrong = await judgeWrong(attempt, network, now);
      return wrong.outcome === 'failed' ? { ...wrong, why: answer.why } : wrong;
    }
    const login = await judgeRight({ network, name, credential: answer.key.credential }, now);
    if (login.outcome !== 'passed') keys.forget(session);
    return login;
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
      const { name, password } = attempt;
      if (!credentials.has(name) && isSecret(password)) return judgeKey(attempt, network, now);
      return credentials.verify(name, password)
        ? judgeRight({ network, name, credential: name }, now)
        : judgeWrong(attempt, network, now);
    },
  };
}

function perSecond(most: number): (now: number) => boolean {
  let second = 0;
  let count = 0;
  return (now) => {
    const thisSecond = Math.floor(now / 1_000);
    if (thisSecond !== second) count = 0;
    second = thisSecond;
    return ++count <= most;
  };
}

type Login = { readonly network: string; readonly name: string; readonly credential: string };

/** Failures, and how many milliseconds ago the count began. */
type Shared = { readonly failures: number; readonly ageMs: number };

const asOf = ({ failures, ageMs }: Shared, now: number): Count => ({ failures, since: now - ageMs });

type CountRow = Shared & { readonly key: string };

const inMap = (rows: readonly CountRow[]) => new Map(rows.map((row) => [row.key, row]));

async function readLogin(
  q: Queryable,
  { network, name, credential }: Login,
): Promise<{ proven: boolean; counts: Map<string, Shared> }> {
  const { rows } = await q.query<CountRow & { proven: boolean }>({
    name: 'look-up-login',
    text: `
      select exists (select from login_proof where credential = $1 and network = $2
                     and succeeded_at > now() - interval '30 days') as proven,
        f.key, f.failures, extract(epoch from now() - f.since)::float8 * 1000 as "ageMs"
      from (select) one
      left join login_failure f on f.key = any($3) and f.since > now() - $4 * interval '1 millisecond'`,
    values: [credential, network, [nameKey(network, name), networkKey(network)], windowMs],
  });
  return { proven: rows[0]?.proven ?? false, counts: inMap(rows.filter(({ key }) => key !== null)) };
}

async function recordLogin(
  q: Queryable,
  { network, name, credential, forgive }: Login & { readonly forgive: boolean },
): Promise<void> {
  await q.query({
    name: 'prove-login',
    text: `
      with forgiven as (delete from login_failure where key = $3 and $4)
      insert into login_proof (credential, network) values ($1, $2)
      on conflict (credential, network) do update set succeeded_at = now()`,
    values: [credential, network, nameKey(network, name), forgive],
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
