// API keys in the database: their secrets as digests.
import type { Queryable } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import type { Tag } from '../../relay/client/email/tag.ts';
import { endingOf, hashSecret } from '../../relay/client/keys/secret.ts';
import type { Scope } from '../authenticate.ts';

/** What can be changed. Null is no limit, no end, and whichever senders the relay allows. */
export type KeySettings = {
  readonly name: string;
  readonly ratePerMinute: number | null;
  readonly senders: readonly string[] | null;
  readonly tags: readonly Tag[];
  readonly perHour: number | null;
  readonly perDay: number | null;
  readonly expiresAt: Date | null;
};

export type KeyRow = KeySettings & {
  readonly id: string;
  readonly scopes: Scope[];
  readonly ending: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
  /** How long the secret before the last rotation is taken; null when none is. */
  readonly oldSecretUntil: Date | null;
  /** By the database's clock. */
  readonly isExpired: boolean;
  /** Recipients of this hour and this day; counted for keys with such a limit. */
  readonly hourUsed: number;
  readonly dayUsed: number;
};

const keyColumns = `
  k.id, k.name, k.scopes, k.ending, k.rate_per_minute as "ratePerMinute", k.senders, k.tags,
  k.per_hour as "perHour", k.per_day as "perDay", k.expires_at as "expiresAt", k.created_at as "createdAt",
  k.revoked_at as "revokedAt", k.last_used_at as "lastUsedAt", coalesce(k.expires_at <= now(), false) as "isExpired",
  case when k.old_secret_until > now() then k.old_secret_until end as "oldSecretUntil",
  coalesce((select u.hour_used from key_usage u
    where u.key_id = k.id and u.hour = date_trunc('hour', now(), 'UTC')), 0) as "hourUsed",
  coalesce((select u.day_used from key_usage u
    where u.key_id = k.id and u.day = date_trunc('day', now(), 'UTC')), 0) as "dayUsed"`;

export async function insertKey(
  tx: Queryable,
  given: KeySettings & { readonly secret: string; readonly scopes: readonly Scope[] },
): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>(
    `insert into api_key as k (id, name, secret_hash, ending, scopes, rate_per_minute, senders, tags, per_hour, per_day,
       expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning ${keyColumns}`,
    [
      uuidv7(),
      given.name,
      hashSecret(given.secret),
      endingOf(given.secret),
      given.scopes,
      given.ratePerMinute,
      given.senders,
      JSON.stringify(given.tags),
      given.perHour,
      given.perDay,
      given.expiresAt,
    ],
  );
  return rows[0] as KeyRow;
}

/** Newest first, revoked ones included. */
export async function findKeys(
  q: Queryable,
  page: { limit: number; after?: string | undefined },
): Promise<KeyRow[]> {
  const { rows } = await q.query<KeyRow>(
    `select ${keyColumns} from api_key k where $1::uuid is null or k.id < $1 order by k.id desc limit $2`,
    [page.after ?? null, page.limit + 1],
  );
  return rows;
}

/** Locks it; undefined when there is none. */
export async function findKeyToChange(tx: Queryable, keyId: string): Promise<KeyRow | undefined> {
  const { rows } = await tx.query<KeyRow>(
    `select ${keyColumns} from api_key k where k.id = $1 for no key update`,
    [keyId],
  );
  return rows[0];
}

export async function updateKeyRow(tx: Queryable, keyId: string, settings: KeySettings): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>(
    `update api_key k set name = $2, rate_per_minute = $3, senders = $4, tags = $5, per_hour = $6, per_day = $7,
       expires_at = $8
     where k.id = $1 returning ${keyColumns}`,
    [
      keyId,
      settings.name,
      settings.ratePerMinute,
      settings.senders,
      JSON.stringify(settings.tags),
      settings.perHour,
      settings.perDay,
      settings.expiresAt,
    ],
  );
  return rows[0] as KeyRow;
}

/** The key as it is then; undefined when there is none. */
export async function revokeKeyRow(tx: Queryable, keyId: string): Promise<KeyRow | undefined> {
  const { rows } = await tx.query<KeyRow>(
    `update api_key k set revoked_at = coalesce(revoked_at, now()) where k.id = $1 returning ${keyColumns}`,
    [keyId],
  );
  return rows[0];
}

const oldSecretHours = 24;

/** A new secret for the same key; the one before is taken for a while. */
export async function rotateKeyRow(tx: Queryable, keyId: string, secret: string): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>(
    `update api_key k set old_secret_hash = secret_hash, old_secret_until = now() + make_interval(hours => $4),
       secret_hash = $2, ending = $3
     where k.id = $1 returning ${keyColumns}`,
    [keyId, hashSecret(secret), endingOf(secret), oldSecretHours],
  );
  return rows[0] as KeyRow;
}
