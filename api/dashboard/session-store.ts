// The sessions of the dashboard in the database: by a keyed hash of the token in the cookie.
import type { Queryable } from '../../deploy/database.ts';
import { administrator, type Person, type Role } from '../people/role.ts';

/** Stores a session, and removes those that are over. @param userId null for whoever knows ADMIN_PASSWORD */
export async function insertSession(
  q: Queryable,
  hash: Buffer,
  { userId, lastsHours }: { userId: string | null; lastsHours: number },
): Promise<void> {
  await q.query(
    `with over as (delete from dashboard_session where expires_at < now()),
       seen as (update dashboard_user set last_sign_in_at = now() where id = $2)
     insert into dashboard_session (token_hash, user_id, expires_at) values ($1, $2, now() + make_interval(hours => $3))`,
    [hash, userId, lastsHours],
  );
}

export async function deleteSession(q: Queryable, hash: Buffer): Promise<void> {
  await q.query('delete from dashboard_session where token_hash = $1', [hash]);
}

type Row = {
  user_id: string | null;
  name: string;
  role: Role;
  password_is_initial: boolean;
  has_password: boolean;
};

// The role is read with every request, so a change of it holds at once in every process.
const valid = `s.expires_at > now() and (s.user_id is null or u.disabled_at is null)`;

/** Who is signed in with it; undefined when it is over. */
export async function findSignedIn(q: Queryable, hash: Buffer): Promise<Person | undefined> {
  const { rows } = await q.query<Row>({
    name: 'dashboard-session',
    text: `select s.user_id, u.name, u.role, u.password_is_initial, u.password_hash is not null as has_password
           from dashboard_session s left join dashboard_user u on u.id = s.user_id
           where s.token_hash = $1 and ${valid}`,
    values: [hash],
  });
  const row = rows[0];
  if (!row) return undefined;
  if (row.user_id === null) return administrator;
  return {
    id: row.user_id,
    name: row.name,
    role: row.role,
    passwordIsInitial: row.password_is_initial,
    hasPassword: row.has_password,
  };
}

/** Those that are valid, of hashes in hexadecimal. */
export async function findValidSessions(q: Queryable, hashes: readonly string[]): Promise<Set<string>> {
  const { rows } = await q.query<{ id: string }>({
    name: 'dashboard-sessions',
    text: `select encode(s.token_hash, 'hex') as id
           from dashboard_session s left join dashboard_user u on u.id = s.user_id
           where s.token_hash in (select decode(id, 'hex') from unnest($1::text[]) id) and ${valid}`,
    values: [hashes],
  });
  return new Set(rows.map(({ id }) => id));
}
