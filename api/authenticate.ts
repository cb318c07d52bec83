// Who is asking: an API key as a Bearer token (RFC 6750). Keys are 256 random bits, so one round of SHA-256
// keeps them at rest; neither an answer nor its timing says which half of a wrong key was right.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Queryable } from '../deploy/database.ts';
import { Problem } from './problem.ts';

export const scopes = ['admin', 'send', 'read'] as const;

/** `admin` may do everything; `send` may send mail and read about it; `read` reads, but sees no bodies. */
export type Scope = (typeof scopes)[number];

export type Principal = {
  /** Scopes idempotency keys and rate limits: a key's id, `bootstrap` for API_KEY, `public` without a key. */
  readonly id: string;
  /** The row in api_key, when there is one. */
  readonly apiKeyId: string | undefined;
  readonly scopes: readonly Scope[];
  /** Its own limit, or undefined for the default. */
  readonly ratePerMinute: number | undefined;
};

export const stranger: Principal = {
  id: 'public',
  apiKeyId: undefined,
  scopes: [],
  ratePerMinute: undefined,
};

export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

export type Authenticate = (header: string | undefined) => Promise<Principal>;

/** Makes the check. `bootstrapKey` is API_KEY: an admin that exists before the first key does. */
export function authenticator(database: Queryable, bootstrapKey: string): Authenticate {
  const bootstrapHash = hashSecret(bootstrapKey);
  const bootstrap: Principal = {
    id: 'bootstrap',
    apiKeyId: undefined,
    scopes: ['admin'],
    ratePerMinute: undefined,
  };

  return async (header) => {
    const secret = /^Bearer +([\x21-\x7e]+) *$/i.exec(header ?? '')?.[1];
    if (secret === undefined) {
      throw new Problem('unauthenticated', 'Send an API key: Authorization: Bearer KEY.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    const hash = hashSecret(secret);
    if (timingSafeEqual(hash, bootstrapHash)) return bootstrap;

    const { rows } = await database.query<{ id: string; scopes: Scope[]; rate: number | null }>({
      name: 'api-key',
      text: `
        select id, scopes, rate_per_minute as rate from api_key
        where secret_hash = $1 and revoked_at is null`,
      values: [hash],
    });
    const key = rows[0];
    if (!key) {
      throw new Problem('unauthenticated', 'This API key is not valid.', {
        headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
      });
    }
    return { id: key.id, apiKeyId: key.id, scopes: key.scopes, ratePerMinute: key.rate ?? undefined };
  };
}

/** Throws unless the principal may call an operation of that scope. */
export function permit(principal: Principal, needed: Scope): void {
  if (allows(principal, needed)) return;
  throw new Problem('forbidden', `This needs a key with the scope ${needed}.`, {
    members: { needed, granted: principal.scopes },
  });
}

export function allows({ scopes }: Principal, needed: Scope): boolean {
  // Whoever sends mail has to be able to ask what became of it.
  return (
    scopes.includes('admin') || scopes.includes(needed) || (needed === 'read' && scopes.includes('send'))
  );
}
