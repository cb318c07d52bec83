// The users of the dashboard in the database.
import type { Queryable } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import type { HashedPassword } from './password.ts';
import type { Role } from './role.ts';

export type PersonRow = {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly issuer: string | null;
  readonly passwordIsInitial: boolean;
  readonly createdAt: Date;
  readonly disabledAt: Date | null;
  readonly lastSignInAt: Date | null;
};

const columns = `
  id, name, role, issuer, password_is_initial as "passwordIsInitial", created_at as "createdAt",
  disabled_at as "disabledAt", last_sign_in_at as "lastSignInAt"`;

/** One more than asked for, so that it is known whether there is a next page; the newest first. */
export async function findPeople(
  q: Queryable,
  page: { limit: number; after?: string | undefined },
): Promise<PersonRow[]> {
  const { rows } = await q.query<PersonRow>(
    `select ${columns} from dashboard_user where $1::uuid is null or id < $1 order by id desc limit $2`,
    [page.after ?? null, page.limit + 1],
  );
  return rows;
}

/** Locks it; undefined when there is none. */
export async function findPersonToChange(tx: Queryable, id: string): Promise<PersonRow | undefined> {
  const { rows } = await tx.query<PersonRow>(
    `select ${columns} from dashboard_user where id = $1 for no key update`,
    [id],
  );
  return rows[0];
}

/** Undefined when somebody has that name. */
export async function insertPerson(
  tx: Queryable,
  { name, role, password }: { name: string; role: Role; password: HashedPassword },
): Promise<PersonRow | undefined> {
  const { rows } = await tx.query<PersonRow>(
    `insert into dashboard_user (id, name, role, password_hash, password_salt, password_is_initial)
     values ($1, $2, $3, $4, $5, true)
     on conflict (lower(name)) where issuer is null do nothing returning ${columns}`,
    [uuidv7(), name, role, password.hash, password.salt],
  );
  return rows[0];
}

export async function updatePersonRow(
  tx: Queryable,
  id: string,
  { role, isDisabled }: { role: Role; isDisabled: boolean },
): Promise<PersonRow> {
  const { rows } = await tx.query<PersonRow>(
    `update dashboard_user set role = $2, disabled_at = case when $3 then coalesce(disabled_at, now()) end
     where id = $1 returning ${columns}`,
    [id, role, isDisabled],
  );
  return rows[0] as PersonRow;
}

export async function storePassword(
  tx: Queryable,
  id: string,
  { hash, salt, isInitial }: HashedPassword & { isInitial: boolean },
): Promise<PersonRow> {
  const { rows } = await tx.query<PersonRow>(
    `update dashboard_user set password_hash = $2, password_salt = $3, password_is_initial = $4
     where id = $1 and issuer is null returning ${columns}`,
    [id, hash, salt, isInitial],
  );
  return rows[0] as PersonRow;
}

/** @param except the hash of a session that stays */
export async function endSessionsOf(tx: Queryable, id: string, except?: Buffer): Promise<void> {
  await tx.query('delete from dashboard_session where user_id = $1 and token_hash is distinct from $2', [
    id,
    except ?? null,
  ]);
}

/** Who signs in here by that name, and by which password; undefined when nobody does. */
export async function findPasswordOf(
  q: Queryable,
  name: string,
): Promise<(HashedPassword & { id: string; isDisabled: boolean }) | undefined> {
  const { rows } = await q.query<HashedPassword & { id: string; isDisabled: boolean }>({
    name: 'password-of-user',
    text: `select id, password_hash as hash, password_salt as salt, disabled_at is not null as "isDisabled"
           from dashboard_user where lower(name) = lower($1) and issuer is null`,
    values: [name],
  });
  return rows[0];
}

export async function findPasswordById(q: Queryable, id: string): Promise<HashedPassword | undefined> {
  const { rows } = await q.query<HashedPassword>(
    `select password_hash as hash, password_salt as salt from dashboard_user where id = $1 and issuer is null`,
    [id],
  );
  return rows[0];
}
