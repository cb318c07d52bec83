// The roles of the database: the owner, who migrates, and one for each process. Roles belong to the whole server, so
// another Postern on it, or another migration at this moment, may be at the same ones.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isUnavailable, openDatabase, type Queryable } from './database.ts';

/** Who connects as what. */
export const roleOf = { api: 'postern_api', relay: 'postern_relay', worker: 'postern_worker' } as const;

export type RoleName = (typeof roleOf)[keyof typeof roleOf];

export type RolePasswords = Readonly<Record<keyof typeof roleOf, string>>;

/** The same database as another role. */
export function urlAs(url: string, role: RoleName, password: string): string {
  const given = new URL(url);
  given.username = role;
  given.password = encodeURIComponent(password);
  return given.href;
}

/**
 * Creates the roles that are missing and sets passwords that have changed. Whether one has, logging in tells: what works
 * is left alone, so that a second Postern on the same server with the same passwords changes nothing.
 */
export async function ensureRoles(owner: Queryable, url: string, passwords: RolePasswords): Promise<void> {
  for (const process of Object.keys(roleOf) as (keyof typeof roleOf)[]) {
    const role = roleOf[process];
    if (!(await canLogIn(url, role, passwords[process])))
      await setPassword(owner, url, role, passwords[process]);
  }
  const { rows } = await owner.query<{ rolname: string }>(
    'select rolname from pg_roles where rolname = any($1) and (rolsuper or rolcreaterole or rolbypassrls)',
    [Object.values(roleOf)],
  );
  if (rows.length > 0) {
    throw new Error(
      `${rows.map(({ rolname }) => rolname).join(', ')} may do everything on this server, and no process of Postern ` +
        'needs that. Run: alter role NAME nosuperuser nocreaterole nobypassrls',
    );
  }
}

async function canLogIn(url: string, role: RoleName, password: string): Promise<boolean> {
  const asRole = urlAs(url, role, password);
  await using database = openDatabase({ url: asRole, applicationName: 'postern-migrate', max: 1 });
  try {
    const { rows } = await database.query<{ role: string }>('select current_user as role');
    return rows[0]?.role === role;
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return false;
  }
}

async function setPassword(owner: Queryable, url: string, role: RoleName, password: string): Promise<void> {
  const { rows } = await owner.query<{ here: string; there: string | null; exists: boolean }>(
    `select current_database() as here, exists (select from pg_roles where rolname = $1) as exists,
       (select d.datname from pg_roles r join pg_database d
          on shobj_description(r.oid, 'pg_authid') = $2 || d.datname
        where r.rolname = $1 and d.datname <> current_database()) as there`,
    [role, remark],
  );
  const found = rows[0] as NonNullable<(typeof rows)[0]>;
  if (found.there !== null) {
    // It may just have been created, with the same password.
    if (await canLogIn(url, role, password)) return;
    throw new Error(
      `The role ${role} belongs to the Postern in the database ${found.there} of this server and has another password. ` +
        'Roles belong to the whole server: give both the same DATABASE_API_PASSWORD, DATABASE_RELAY_PASSWORD and ' +
        'DATABASE_WORKER_PASSWORD, or use a server for each.',
    );
  }
  try {
    await whoeverElse(() => change(owner, role, password));
    await whoeverElse(() =>
      owner.query(`comment on role ${role} is '${(remark + found.here).replaceAll("'", "''")}'`),
    );
  } catch (error) {
    if ((error as { code?: unknown }).code !== insufficientPrivilege) throw error;
    throw new Error(
      `The role of DATABASE_URL may not ${found.exists ? 'change' : 'create'} the role ${role}. Let somebody who may run: ` +
        `${found.exists ? 'alter' : 'create'} role ${role} login password '…' with the value of the variable; or leave ` +
        'DATABASE_API_PASSWORD, DATABASE_RELAY_PASSWORD and DATABASE_WORKER_PASSWORD out, and all processes use one role',
      { cause: error },
    );
  }
}

const remark = 'Postern in the database ';

const insufficientPrivilege = '42501';

/** As a verifier (RFC 5803): a server that logs its statements does not learn the password. */
async function change(owner: Queryable, role: RoleName, password: string): Promise<void> {
  const { rowCount } = await owner.query('select from pg_roles where rolname = $1', [role]);
  const verb = rowCount === 0 ? 'create' : 'alter';
  await owner.query(`${verb} role ${role} login password '${scramVerifier(password)}'`);
}

/** Somebody created or changed the same role at this moment, from another database: a lock would not reach there. */
const clashes = new Set(['42710', '23505', 'XX000']);

async function whoeverElse(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === 20 || !clashes.has(String((error as { code?: unknown }).code))) throw error;
      await pause(Math.random() * 100);
    }
  }
}

/** RFC 5802 §3 and RFC 7677: StoredKey is H(HMAC(salted, "Client Key")). */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyed = (words: string) => createHmac('sha256', salted).update(words).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
}
