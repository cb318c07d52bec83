// Brings the schema up to date: numbered files, forward only, one transaction each, one process at a time. A file whose
// first line is `-- no transaction` runs outside of one: that is how an index is built beside running processes.
// Run as `node deploy/migrate.ts` before the processes start; they wait for it (`awaitSchema`).
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type AddressVariable,
  type Connection,
  type Database,
  isRefusedLogin,
  isUnavailable,
  openDatabase,
  type Queryable,
} from './database.ts';
import { readMigrateEnvironment, scrubEnvironment } from './environment.ts';
import { applyGrants } from './grants.ts';
import { migrateJobs } from './job-schema.ts';
import type { Log } from './log.ts';
import { asWrongAddress, expectOwnSessions } from './pooler.ts';
import { runProcess } from './process.ts';
import { ensureRoles, type RolePasswords } from './roles.ts';

type Migration = { id: number; name: string; sql: string; checksum: string };

const isWithoutTransaction = ({ sql }: Migration) => /^-- no transaction\n/.test(sql);
type AppliedRow = { id: number; name: string; checksum: string };

const ourMigrations = join(import.meta.dirname, 'migrations');

// Any number will do, as long as nothing else in this database locks the same one.
const advisoryLock = 7678367;

const undefinedTable = '42P01';
const insufficientPrivilege = '42501';

type Wishes = {
  directory?: string;
  patienceSeconds?: number;
  signal?: AbortSignal | undefined;
  /** Which variable holds the address, when it is given as a text. */
  variable?: AddressVariable;
  /** With them each process has a role of its own; without, all use that of the address. */
  roles?: RolePasswords | undefined;
};

/**
 * Applies the migrations that are missing, graphile-worker's as well, and makes roles and their privileges what they
 * should be. Any number of processes may call it at once: one works, the others wait and find nothing left to do. A
 * database that is not up yet is waited for (`patienceSeconds`). Throws when a migration fails (it then left nothing
 * behind), when an applied one was changed since, or when the database is newer than these files.
 */
export async function migrate(target: Database | string, log: Log, wishes: Wishes = {}): Promise<void> {
  const { directory = ourMigrations, patienceSeconds = 60, signal, variable, roles } = wishes;
  const migrations = await readMigrations(directory);
  await using opened = typeof target === 'string' ? openForMigration(target, variable, log) : undefined;
  const database = opened ?? (target as Database);

  await using connection = await connectPatiently(database, { log, patienceSeconds, signal });
  sayWhichAddress(database, log);
  await expectOwnSessions(database, connection);
  await takeLock(connection, advisoryLock, signal);
  await connection.query(
    `create table if not exists postern_migration (
       id         integer primary key,
       name       text not null,
       checksum   text not null,
       applied_at timestamptz not null default now()
     )`,
  );
  if (roles) await ensureRoles(connection, addressOf(target), roles);
  // In the transaction of each migration: who finds it applied may use what it brought.
  const grant = roles ? () => applyGrants(connection) : async () => {};

  const missing = missingOf(migrations, await readApplied(connection));
  for (const migration of missing) {
    await apply(connection, migration, { log, patienceSeconds, signal, grant });
    log.info({ migration: migration.name }, 'Migration applied');
  }
  if (directory === ourMigrations) await migrateJobs(database, log);
  await grant();
  if (missing.length === 0) log.info('The schema is current');
}

function sayWhichAddress({ variable }: Database, log: Log | undefined): void {
  if (variable === 'DATABASE_DIRECT_URL')
    log?.info('DATABASE_DIRECT_URL is set and used for everything; DATABASE_URL is not used');
}

const addressOf = (target: Database | string) =>
  typeof target === 'string' ? target : String(target.pool.options.connectionString);

/**
 * Waits until every migration of this version is applied, and logs what it waits for: a database
 * that is away, or a schema that is behind. A newer schema is accepted, so that a process of the
 * previous version can still start during a deployment. Throws when an applied migration differs
 * from its file, when the address leads to a pooler that gives our sessions to others, and when `signal` aborts.
 */
export async function awaitSchema(
  database: Database,
  {
    log = database.log,
    directory = ourMigrations,
    signal,
  }: { log?: Log | undefined; directory?: string; signal?: AbortSignal } = {},
): Promise<void> {
  const migrations = await readMigrations(directory);
  let lastReason: string | undefined;
  const reasonGone = async (look: () => Promise<string | undefined>) => {
    for (;;) {
      signal?.throwIfAborted();
      const reason = await whyNotUsable(database, look);
      if (reason === undefined) return;
      if (reason !== lastReason) log?.warn(`Waiting for the database: ${reason}`);
      lastReason = reason;
      await pause(pollMs, undefined, { signal });
    }
  };
  sayWhichAddress(database, log);
  await reasonGone(async () => {
    await using session = await database.connect();
    await expectOwnSessions(database, session);
    return undefined;
  });
  await reasonGone(() => whyNotCurrent(database, migrations));
}

const pollMs = 250;

async function whyNotUsable(
  database: Database,
  look: () => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await look();
  } catch (error) {
    const wrong = asWrongAddress(error, database);
    if (wrong) throw wrong;
    if (isUnavailable(error)) return `PostgreSQL is unavailable (${(error as Error).message})`;
    if (isRefusedLogin(error)) return noAccess(error);
    throw error;
  }
}

// A migration that runs at this moment creates the role and lets it in.
const noAccess = (error: unknown) =>
  `it refuses the login of this process (${(error as Error).message}); run node deploy/migrate.ts with the same DATABASE_API_PASSWORD, DATABASE_RELAY_PASSWORD and DATABASE_WORKER_PASSWORD as in the DATABASE_URL of each process`;

async function whyNotCurrent(queryable: Queryable, migrations: Migration[]): Promise<string | undefined> {
  try {
    const applied = await readApplied(queryable);
    const newest = Math.max(0, ...migrations.map(({ id }) => id));
    const [next] = missingOf(
      migrations,
      applied.filter(({ id }) => id <= newest),
    );
    return next && `migration ${next.name} is not applied; run node deploy/migrate.ts`;
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (code === undefinedTable) return 'it has no schema yet; run node deploy/migrate.ts';
    if (code === insufficientPrivilege) return noAccess(error);
    throw error;
  }
}

/** Checks that what was applied is what the files say and returns the files that are left, in order. */
function missingOf(migrations: Migration[], applied: AppliedRow[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.id, migration]));
  for (const row of applied) {
    const migration = known.get(row.id);
    if (!migration) {
      throw new Error(
        `The database has migration ${row.name}, which this version does not know: it was migrated by a newer one. ` +
          'Migrations only go forward; deploy that version or restore a backup.',
      );
    }
    if (migration.checksum !== row.checksum) {
      throw new Error(
        `Migration ${migration.name} was changed after it had been applied. Restore the file and put the change into a new one.`,
      );
    }
  }
  const done = new Set(applied.map(({ id }) => id));
  return migrations.filter(({ id }) => !done.has(id));
}

/**
 * Asks again and again instead of waiting in one statement: an index that is built concurrently waits for every
 * statement that began before, and would wait for one that waits for us.
 */
async function takeLock(
  connection: Connection,
  lock: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    const { rows } = await connection.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [
      lock,
    ]);
    if (rows[0]?.taken) return;
    await pause(pollMs, undefined, { signal });
  }
}

/**
 * How long a migration waits for a lock that a running process holds. Whoever asks for the same table meanwhile queues
 * up behind the migration, so it gives up soon and tries again.
 */
const lockTimeoutMs = 3_000;
const lockPauseMs = 1_000;

/** lock_not_available, and deadlock_detected: a process that runs holds one table and waits for another. */
const lockCodes = new Set(['55P03', '40P01']);

type Application = {
  log: Log;
  patienceSeconds: number;
  signal: AbortSignal | undefined;
  grant: () => Promise<void>;
};

/** Tries again while a lock cannot be had, and says so. */
async function apply(
  connection: Connection,
  migration: Migration,
  { log, patienceSeconds, signal, grant }: Application,
): Promise<void> {
  const deadline = performance.now() + patienceSeconds * 1000;
  // Building an index concurrently makes nobody wait, so it may wait for as long as it takes.
  const lockTimeout = isWithoutTransaction(migration) ? '0' : `${lockTimeoutMs}ms`;
  await connection.query("select set_config('lock_timeout', $1, false)", [lockTimeout]);
  for (;;) {
    try {
      return isWithoutTransaction(migration)
        ? await applyInSteps(connection, migration)
        : await applyAtOnce(connection, migration, grant);
    } catch (error) {
      const isLocked = lockCodes.has(String((error as { code?: unknown }).code));
      if (!isLocked || performance.now() > deadline) throw asFailure(migration, error as Error, isLocked);
      log.warn(
        { migration: migration.name },
        'Another session holds a lock on a table that this migration changes; trying again',
      );
      await pause(lockPauseMs, undefined, { signal });
    }
  }
}

async function applyAtOnce(
  connection: Connection,
  migration: Migration,
  grant: () => Promise<void>,
): Promise<void> {
  try {
    await connection.query('begin');
    // Comes first, so that two runs that got past the lock collide here and not in the middle of a table.
    await note(connection, migration);
    await connection.query(migration.sql);
    await grant();
    await connection.query('commit');
  } catch (error) {
    await connection.query('rollback').catch(() => {});
    throw error;
  }
}

/**
 * Statement by statement, each on its own, and noted at the end. What a killed run left is taken up again: an index
 * that exists and is valid is kept, one that was not finished is dropped and built anew.
 */
async function applyInSteps(connection: Connection, migration: Migration): Promise<void> {
  for (const statement of statementsOf(migration)) {
    const index = /^create (?:unique )?index concurrently ([a-z_]+) /.exec(statement)?.[1];
    if (!index) {
      throw new Error(
        'A migration without a transaction may contain only "create index concurrently NAME …" in small letters',
      );
    }
    const { rows } = await connection.query<{ valid: boolean }>(
      'select indisvalid as valid from pg_index where indexrelid = to_regclass($1)',
      [index],
    );
    if (rows[0]?.valid) continue;
    if (rows[0]) await connection.query(`drop index concurrently ${index}`);
    await connection.query(statement);
  }
  await note(connection, migration);
}

function statementsOf({ sql }: Migration): string[] {
  return sql
    .replaceAll(/^--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

async function note(connection: Connection, { id, name, checksum }: Migration): Promise<void> {
  await connection.query('insert into postern_migration (id, name, checksum) values ($1, $2, $3)', [
    id,
    name,
    checksum,
  ]);
}

function asFailure(migration: Migration, error: Error, isLocked: boolean): Error {
  const { name } = migration;
  const left = isWithoutTransaction(migration) ? 'can be run again' : 'left nothing behind';
  const why = isLocked
    ? 'another session holds a lock on a table that it changes. Look for a long transaction in pg_stat_activity, end it, and run the migration again'
    : error.message;
  return new Error(`Migration ${name} failed and ${left}: ${why}`, { cause: error });
}

async function readApplied(queryable: Queryable): Promise<AppliedRow[]> {
  const { rows } = await queryable.query<AppliedRow>(
    'select id, name, checksum from postern_migration order by id',
  );
  return rows;
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  const migrations = await Promise.all(
    files.map(async (file) => {
      const digits = /^(\d{6})_[a-z0-9_]+\.sql$/.exec(file)?.[1];
      if (!digits) throw new Error(`A migration is named NNNNNN_what_it_does.sql, not ${file}`);
      // A checkout on Windows may turn line ends into CR LF, which changes nothing for PostgreSQL.
      const sql = (await readFile(join(directory, file), 'utf8')).replaceAll('\r\n', '\n');
      const checksum = createHash('sha256').update(sql).digest('hex');
      return { id: Number(digits), name: file.slice(0, -'.sql'.length), sql, checksum };
    }),
  );
  for (const [index, { id, name }] of migrations.entries()) {
    if (migrations[index - 1]?.id === id) throw new Error(`Two migrations have the number of ${name}`);
  }
  return migrations;
}

async function connectPatiently(
  database: Database,
  { log, patienceSeconds, signal }: { log: Log; patienceSeconds: number; signal: AbortSignal | undefined },
): Promise<Connection> {
  const deadline = performance.now() + patienceSeconds * 1000;
  let told = false;
  for (;;) {
    try {
      return await database.connect();
    } catch (error) {
      const wrong = asWrongAddress(error, database);
      if (wrong) throw wrong;
      if (!isUnavailable(error) || performance.now() > deadline) throw error;
      if (!told) log.warn({ err: error }, `Waiting up to ${patienceSeconds} s for PostgreSQL`);
      told = true;
      await pause(pollMs, undefined, { signal });
    }
  }
}

function openForMigration(url: string, variable: AddressVariable | undefined, log: Log): Database {
  return openDatabase({
    url,
    ...(variable && { variable }),
    applicationName: 'postern-migrate',
    max: 1,
    log,
  });
}

if (import.meta.main) {
  await runProcess(
    'migrate',
    () => {
      const environment = readMigrateEnvironment(process.env);
      scrubEnvironment(process.env, 'migrate');
      return environment;
    },
    async ({ environment, log, signal }) => {
      await migrate(environment.database.url, log, {
        signal,
        variable: environment.database.variable,
        roles: environment.roles,
      });
      return 'finished';
    },
  );
}
