// API keys as passwords of submission: any key with the scope `send`, under whatever name. The database is asked at
// AUTH, and for the keys of open sessions again whenever a key was changed (deploy/bell.ts), so that one that leaked
// ends within a second on every relay. No mail costs a statement for that.
import type { Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { alwaysAwake, everyWhileAwake, type Sleep } from '../../deploy/sleep.ts';
import {
  type AllowedSenders,
  firstAddressOf,
  isAllowedSender,
  narrowSenders,
} from '../client/address/allowed-senders.ts';
import type { Tag } from '../client/email/tag.ts';
import { hashSecret } from '../client/keys/secret.ts';

/** Who a session may send as. */
export type SenderRule = {
  readonly allowed: AllowedSenders;
  /** What says so, for whoever is refused. */
  readonly setBy: string;
  /** Who speaks instead of those who may not (RELAY_SENDER_REWRITE); undefined when it is off. */
  readonly rewriteTo: string | undefined;
};

/** The key of a session, as it is now. */
export type SessionKey = {
  readonly id: string;
  readonly name: string;
  /** What the mail is kept under; a name of RELAY_USERS holds no colon. */
  readonly credential: string;
  readonly senders: SenderRule;
  readonly tags: readonly Tag[];
  readonly isLimited: boolean;
  /** Why it no longer counts, in words; undefined while it does. */
  readonly ended: string | undefined;
  /** Until when not one recipient more fits into its limits, by performance.now(). */
  exhaustedUntil: number;
};

export type KeyAnswer =
  | { readonly outcome: 'valid'; readonly key: SessionKey }
  /** Nobody's secret, or a key that is no password here: `why` says so in words. */
  | { readonly outcome: 'refused'; readonly why: string | undefined };

export type Keys = AsyncDisposable & {
  /** Looks the secret up, and holds its key for the session. Rejects when the database is away. */
  find(session: object, secret: string): Promise<KeyAnswer>;
  of(session: object): SessionKey | undefined;
  forget(session: object): void;
  /** Asks again for the keys of all sessions. Cheap where there are none. */
  look(): void;
};

/** How old what is known of a key may be when no relay was told: the connection that is told may have broken. */
const lookAgainMs = 15_000;
const tryAgainMs = 1_000;

/** Long because its small functions share the keys of the open sessions. */
export function openKeys({
  q,
  common,
  log,
  sleep = alwaysAwake,
}: {
  q: Queryable;
  common: SenderRule;
  log: Log;
  sleep?: Sleep;
}): Keys {
  const keys = new Map<string, Held>();
  const held = new Map<object, Held>();
  const over = new WeakSet<object>();
  let looks = 0;
  let isBehind = false;

  const looking = everyWhileAwake(
    sleep,
    () => (held.size === 0 ? undefined : isBehind ? tryAgainMs : lookAgainMs),
    async () => {
      looks++;
      if (held.size === 0) return;
      try {
        await lookNow();
        isBehind = false;
      } catch (error) {
        isBehind = true;
        log.warn({ err: error, event: 'keys-unknown' }, 'The keys of open sessions could not be looked up');
      }
    },
    { first: 'after a pause' },
  );

  async function lookNow(): Promise<void> {
    const asked = [...new Set(held.values())];
    const rows = await readKeys(
      q,
      asked.map(({ hash }) => hash),
    );
    const found = new Map(rows.map((row) => [row.hash, row]));
    for (const each of asked) each.learn(found.get(each.hash.toString('hex')));
  }

  async function find(session: object, secret: string): Promise<KeyAnswer> {
    const hash = hashSecret(secret);
    const hex = hash.toString('hex');
    for (;;) {
      const looksBefore = looks;
      const [row] = await readKeys(q, [hash]);
      // A key that was changed meanwhile may have been read before the change.
      if (looks !== looksBefore) continue;
      const why = row ? endOf(row) : undefined;
      if (!row || why !== undefined) return { outcome: 'refused', why };
      const key = keys.get(hex) ?? new Held(hash, common);
      key.learn(row);
      keys.set(hex, key);
      // A client that hung up meanwhile is heard of no more.
      if (!over.has(session)) held.set(session, key);
      looking.within(lookAgainMs);
      return { outcome: 'valid', key };
    }
  }

  return {
    find,
    of: (session) => held.get(session),
    forget(session) {
      over.add(session);
      const key = held.get(session);
      held.delete(session);
      if (key && ![...held.values()].includes(key)) keys.delete(key.hash.toString('hex'));
    },
    look: () => looking.now(),
    [Symbol.asyncDispose]: () => looking.stop(),
  };
}

/** One key for all its sessions, so that all of them learn at once what became of it. */
class Held implements SessionKey {
  readonly hash: Buffer;
  readonly #common: SenderRule;
  #row: KeyRow | undefined;
  #end: string | undefined;
  #endsAt = Number.POSITIVE_INFINITY;
  id = '';
  name = '';
  senders: SenderRule;
  exhaustedUntil = 0;

  constructor(hash: Buffer, common: SenderRule) {
    this.hash = hash;
    this.#common = common;
    this.senders = common;
  }

  /** @param row undefined when the secret is nobody's any more */
  learn(row: KeyRow | undefined): void {
    this.#row = row ?? this.#row;
    this.#end = row ? endOf(row) : ends.replaced;
    if (!row) return;
    this.#endsAt =
      row.secondsLeft === null ? Number.POSITIVE_INFINITY : performance.now() + row.secondsLeft * 1_000;
    this.id = row.id;
    this.name = row.name;
    this.senders = ruleOf(row, this.#common);
    // Its limits may be others.
    this.exhaustedUntil = 0;
  }

  get credential(): string {
    return `key:${this.id}`;
  }

  get tags(): readonly Tag[] {
    return this.#row?.tags ?? [];
  }

  get isLimited(): boolean {
    return this.#row?.isLimited ?? false;
  }

  get ended(): string | undefined {
    return this.#end ?? (performance.now() >= this.#endsAt ? ends.expired : undefined);
  }
}

const ends = {
  revoked: 'This API key was revoked',
  expired: 'This API key has expired',
  replaced: 'This secret of an API key was replaced by another one',
} as const;

function endOf({ state, scopes }: KeyRow): string | undefined {
  if (state !== 'valid') return ends[state];
  if (scopes.includes('send') && !scopes.includes('admin')) return undefined;
  return `This API key has the scopes ${scopes.join(', ')}; a password here is a key with send and without admin`;
}

function ruleOf({ name, senders }: KeyRow, common: SenderRule): SenderRule {
  if (senders === null) return common;
  const first = firstAddressOf(senders.filter((entry) => isAllowedSender(entry, common.allowed)));
  return {
    allowed: narrowSenders(common.allowed, senders),
    setBy: `the senders of the key ${name}`,
    rewriteTo: common.rewriteTo === undefined ? undefined : first,
  };
}

type KeyRow = {
  /** In hexadecimal digits. */
  readonly hash: string;
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly state: 'valid' | keyof typeof ends;
  readonly senders: readonly string[] | null;
  readonly tags: readonly Tag[];
  readonly isLimited: boolean;
  readonly secondsLeft: number | null;
};

async function readKeys(q: Queryable, hashes: readonly Buffer[]): Promise<KeyRow[]> {
  const { rows } = await q.query<KeyRow>({
    name: 'submission-keys',
    text: `
      select encode(secret_hash, 'hex') as hash, id, name, scopes, state, senders, tags, is_limited as "isLimited",
        seconds_left as "secondsLeft"
      from submission_keys($1::bytea[])`,
    values: [hashes],
  });
  return rows;
}
