// Who is asking: an API key as a Bearer token (RFC 6750). Keys are 256 random bits, so one round of SHA-256
// keeps them at rest; neither an answer nor its timing says which half of a wrong key was right.
import { timingSafeEqual } from 'node:crypto';
import type { Queryable } from '../deploy/database.ts';
import type { Tag } from '../relay/client/email/tag.ts';
import { hashSecret } from '../relay/client/keys/secret.ts';
import { networkOf } from './network.ts';
import { openPenalties } from './penalty.ts';
import { actorOfPerson, type Person } from './people/role.ts';
import { Problem } from './problem.ts';
import type { CountRefused } from './sign-in-measures.ts';

export const scopes = ['admin', 'send', 'read'] as const;

/** `admin` may do everything; `send` may send mail and read about it; `read` reads, but sees no bodies. */
export type Scope = (typeof scopes)[number];

export type Principal = {
  /** Scopes idempotency keys and rate limits: a key's id, `bootstrap` for API_KEY, `public` without one. */
  readonly id: string;
  /** The row in api_key, when there is one. */
  readonly apiKeyId: string | undefined;
  readonly scopes: readonly Scope[];
  /** Its own limit, or undefined for the default. */
  readonly ratePerMinute: number | undefined;
  /** What a key with the scope `send` may send; undefined for who may send anything. */
  readonly sends?: KeySends | undefined;
  /** Who is signed in to the dashboard, when that is who asks. */
  readonly person?: Person | undefined;
};

export type KeySends = {
  /** Addresses and `*@domain`; null for whoever the relay allows. */
  readonly senders: readonly string[] | null;
  /** Of its mail that names none of its own by the same name. */
  readonly tags: readonly Tag[];
  /** Whether its recipients are counted by the hour or the day. */
  readonly isLimited: boolean;
};

export const stranger: Principal = {
  id: 'public',
  apiKeyId: undefined,
  scopes: [],
  ratePerMinute: undefined,
};

/** @param address where the request comes from */
export type Authenticate = (header: string | undefined, address: string) => Promise<Principal>;

// Whoever has a wrong key in their settings notices after the first; whoever guesses gets this far.
const failuresPerMinute = 30;

/** Makes the check. `bootstrapKey` is API_KEY: an admin that exists before the first key does. */
export function authenticator(
  database: Queryable,
  bootstrapKey: string,
  {
    now = () => performance.now(),
    refused = () => {},
    used = () => {},
  }: { now?: () => number; refused?: CountRefused; used?: (keyId: string) => void } = {},
): Authenticate {
  const penalties = openPenalties({ allowed: failuresPerMinute, windowMs: 60_000 });
  // Who has used API_KEY before is not kept from it by a neighbour who fails: all may come by one proxy.
  const known = new Set<string>();
  const bootstrapHash = hashSecret(bootstrapKey);
  const bootstrap: Principal = {
    id: 'bootstrap',
    apiKeyId: undefined,
    scopes: ['admin'],
    ratePerMinute: undefined,
  };

  function isBootstrap(hash: Buffer, network: string): boolean {
    if (!timingSafeEqual(hash, bootstrapHash)) return false;
    // Unlike the keys made here, a person chose this one: it may be possible to guess it.
    if (penalties.wait(network, now()) > 0 && !known.has(network)) return false;
    if (known.size < mostKnown) known.add(network);
    return true;
  }

  function refuseKey(network: string, detail = 'This API key is not valid.'): Problem {
    const wait = penalties.wait(network, now());
    penalties.failed(network, now());
    refused(wait > 0 ? 'throttled' : 'wrong');
    if (wait > 0) {
      return new Problem('rate-limited', 'Too many requests with wrong API keys came from this network.', {
        headers: { 'retry-after': String(wait) },
      });
    }
    return new Problem('unauthenticated', detail, {
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    });
  }

  return async (header, address) => {
    const secret = /^Bearer +([\x21-\x7e]+) *$/i.exec(header ?? '')?.[1];
    if (secret === undefined) {
      throw new Problem('unauthenticated', 'Send an API key: Authorization: Bearer KEY.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    const hash = hashSecret(secret);
    const network = networkOf(address);
    if (isBootstrap(hash, network)) return bootstrap;

    const key = await findKey(database, hash);
    if (!key) throw refuseKey(network);
    if (key.expired !== null) {
      throw refuseKey(network, `This API key expired at ${key.expired.toISOString()}.`);
    }
    used(key.id);
    return {
      id: key.id,
      apiKeyId: key.id,
      scopes: key.scopes,
      ratePerMinute: key.rate ?? undefined,
      ...(!key.scopes.includes('admin') && { sends: key }),
    };
  };
}

type FoundKey = KeySends & {
  id: string;
  scopes: Scope[];
  rate: number | null;
  /** When it expired; null while it has not. */
  expired: Date | null;
};

/** By its secret, or by the one before its last rotation for as long as that is taken. */
async function findKey(database: Queryable, hash: Buffer): Promise<FoundKey | undefined> {
  const { rows } = await database.query<FoundKey>({
    name: 'api-key',
    text: `
      select k.id, k.scopes, k.rate_per_minute as rate, k.senders, k.tags,
        k.per_hour is not null or k.per_day is not null as "isLimited",
        case when k.expires_at <= now() then k.expires_at end as expired
      from (
        select * from api_key where secret_hash = $1
        union all
        select * from api_key where old_secret_hash = $1 and old_secret_until > now()
      ) k
      where k.revoked_at is null`,
    values: [hash],
  });
  return rows[0];
}

const mostKnown = 10_000;

/** Throws unless the principal may call an operation of that scope. @param detail what needs it, as a sentence */
export function permit(principal: Principal, needed: Scope, detail?: string): void {
  if (!allows(principal, needed)) throw lacks(principal, needed, detail);
}

/** Whether it reads what no key owns, and the mail of all keys. `send` alone reads its own mail. */
export const seesAll = ({ scopes }: Principal): boolean =>
  scopes.includes('admin') || scopes.includes('read');

/** Throws unless the principal may read what no key owns, such as customers. */
export function permitAll(principal: Principal): void {
  if (!seesAll(principal)) throw lacks(principal, 'read');
}

function lacks(
  principal: Principal,
  needed: Scope,
  detail = `A key with the scope ${needed} is required.`,
): Problem {
  return new Problem('forbidden', detail, {
    members: { needed, granted: principal.scopes },
  });
}

export function allows({ scopes }: Principal, needed: Scope): boolean {
  // Whoever sends mail has to be able to ask what became of it.
  return (
    scopes.includes('admin') || scopes.includes(needed) || (needed === 'read' && scopes.includes('send'))
  );
}

/** Who did it, for the timeline of an email. */
export const actorOf = ({ id, person }: Principal): string => (person ? actorOfPerson(person) : `key:${id}`);
