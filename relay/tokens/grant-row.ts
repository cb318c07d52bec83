// The row of a grant: what all relays share of it, and which of them asks the endpoint now. The database's clock decides.
import type { Queryable } from '../../deploy/database.ts';
import type { Sealed } from './sealed.ts';

export type GrantRow = {
  readonly salt: Buffer | null;
  readonly sealed: Buffer | null;
  /** Until the access token ends, is to be renewed, and may be asked for again; in seconds, negative when over. */
  readonly livesFor: number | null;
  readonly freshFor: number | null;
  readonly waitFor: number | null;
};

const columns = `salt, sealed, extract(epoch from expires_at - now())::float8 as "livesFor",
  extract(epoch from renew_at - now())::float8 as "freshFor", extract(epoch from next_try_at - now())::float8 as "waitFor"`;

export async function readGrant(q: Queryable, key: Buffer): Promise<GrantRow | undefined> {
  const { rows } = await q.query<GrantRow>(`select ${columns} from oauth2_grant where key = $1`, [key]);
  return rows[0];
}

/**
 * Takes the one request that may be under way, for `leaseMs`. Undefined when another relay has it; else the row as it is
 * now, which may hold what the other one has just stored.
 */
export async function takeGrant(
  q: Queryable,
  key: Buffer,
  { instance, leaseMs }: { instance: string; leaseMs: number },
): Promise<GrantRow | undefined> {
  const { rows } = await q.query<GrantRow>(
    `insert into oauth2_grant as g (key, taken_by, taken_until) values ($1, $2, now() + $3 * interval '1 millisecond')
     on conflict (key) do update set taken_by = excluded.taken_by, taken_until = excluded.taken_until
     where g.taken_until is null or g.taken_until < now()
     returning ${columns}`,
    [key, instance, leaseMs],
  );
  return rows[0];
}

/** Stores what came of the request, and lets others ask again. Times are in seconds from now; without a token they stay. */
export async function storeGrant(
  q: Queryable,
  key: Buffer,
  {
    salt,
    sealed,
    token,
    waitSeconds,
  }: Sealed & {
    token?: { readonly livesSeconds: number; readonly freshSeconds: number };
    waitSeconds: number | null;
  },
): Promise<void> {
  await q.query(
    `insert into oauth2_grant as g (key, salt, sealed, expires_at, renew_at, next_try_at)
     values ($1, $2, $3, now() + $4 * interval '1 second', now() + $5 * interval '1 second', now() + $6 * interval '1 second')
     on conflict (key) do update set salt = excluded.salt, sealed = excluded.sealed,
       expires_at = coalesce(excluded.expires_at, g.expires_at), renew_at = coalesce(excluded.renew_at, g.renew_at),
       next_try_at = excluded.next_try_at, taken_by = null, taken_until = null, stored_at = now()`,
    [key, salt, sealed, token?.livesSeconds ?? null, token?.freshSeconds ?? null, waitSeconds],
  );
}

/** Lets others ask although nothing came of it. */
export async function leaveGrant(q: Queryable, key: Buffer, instance: string): Promise<void> {
  await q.query(
    'update oauth2_grant set taken_by = null, taken_until = null where key = $1 and taken_by = $2',
    [key, instance],
  );
}

/** The mail server refuses this token: whoever needs one fetches another. */
export async function spoilGrant(q: Queryable, key: Buffer): Promise<void> {
  await q.query('update oauth2_grant set renew_at = now(), expires_at = now() where key = $1', [key]);
}

/** Forgets grants of settings that nobody has used for half a year. */
export async function forgetGrants(q: Queryable): Promise<void> {
  await q.query(`delete from oauth2_grant where stored_at < now() - interval '180 days'`);
}
