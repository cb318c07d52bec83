// The sessions of the dashboard in the database: by a keyed hash of the token in the cookie.
import type { Queryable } from '../../deploy/database.ts';

/** Stores a session, and removes those that are over. */
export async function insertSession(q: Queryable, hash: Buffer, lastsHours: number): Promise<void> {
  await q.query(
    `with over as (delete from dashboard_session where expires_at < now())
     insert into dashboard_session (token_hash, expires_at) values ($1, now() + make_interval(hours => $2))`,
    [hash, lastsHours],
  );
}

export async function deleteSession(q: Queryable, hash: Buffer): Promise<void> {
  await q.query('delete from dashboard_session where token_hash = $1', [hash]);
}

export async function isValidSession(q: Queryable, hash: Buffer): Promise<boolean> {
  const { rowCount } = await q.query({
    name: 'dashboard-session',
    text: 'select 1 from dashboard_session where token_hash = $1 and expires_at > now()',
    values: [hash],
  });
  return rowCount > 0;
}

/** Those that are valid, of hashes in hexadecimal. */
export async function findValidSessions(q: Queryable, hashes: readonly string[]): Promise<Set<string>> {
  const { rows } = await q.query<{ id: string }>({
    name: 'dashboard-sessions',
    text: `select encode(token_hash, 'hex') as id from dashboard_session
           where token_hash in (select decode(id, 'hex') from unnest($1::text[]) id) and expires_at > now()`,
    values: [hashes],
  });
  return new Set(rows.map(({ id }) => id));
}
