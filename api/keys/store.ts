// API keys in the database: their secrets as digests.
import type { Queryable } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import { hashSecret, type Scope } from '../authenticate.ts';

export type KeyRow = {
  id: string;
  name: string;
  scopes: Scope[];
  ending: string;
  rate_per_minute: number | null;
  created_at: Date;
  revoked_at: Date | null;
};

const keyColumns = 'id, name, scopes, ending, rate_per_minute, created_at, revoked_at';

export async function insertKey(
  tx: Queryable,
  given: { name: string; secret: string; scopes: readonly Scope[]; ratePerMinute: number | undefined },
): Promise<KeyRow> {
  const { rows } = await tx.query<KeyRow>(
    `insert into api_key (id, name, secret_hash, ending, scopes, rate_per_minute)
     values ($1, $2, $3, $4, $5, $6) returning ${keyColumns}`,
    [
      uuidv7(),
      given.name,
      hashSecret(given.secret),
      given.secret.slice(-4),
      given.scopes,
      given.ratePerMinute ?? null,
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
    `select ${keyColumns} from api_key where $1::uuid is null or id < $1 order by id desc limit $2`,
    [page.after ?? null, page.limit + 1],
  );
  return rows;
}

/** The key as it is then; undefined when there is none. */
export async function revokeKeyRow(tx: Queryable, keyId: string): Promise<KeyRow | undefined> {
  const { rows } = await tx.query<KeyRow>(
    `update api_key set revoked_at = coalesce(revoked_at, now()) where id = $1 returning ${keyColumns}`,
    [keyId],
  );
  return rows[0];
}
