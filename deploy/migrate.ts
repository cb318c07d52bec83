// Brings the schema up to date: numbered files, forward only, one transaction each, one process at a time.
// Run as `node deploy/migrate.ts` before the processes start; they wait for it (`awaitSchema`).
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Connection, type Database, isUnavailable, openDatabase, type Queryable } from './database.ts';
import { readMigrateEnvironment } from './environment.ts';
import type { Log } from './log.ts';
import { runProcess } from './process.ts';

type Migration = { id: number; name: string; sql: string; checksum: string };
type AppliedRow = { id: number; name: string; checksum: string };

const ourMigrations = join(import.meta.dirname, 'migrations');

// Any number will do, as long as nothing else in this database locks the same one.
const advisoryLock = 7678367;

const undefinedTable = '42P01';

/**
 * Applies the migrations that are missing. Any number of processes may call it at once: one works,
 * the others wait and find nothing left to do. A database that is not up yet is waited for
 * (`patienceSeconds`). Throws when a migration fails (it then left nothing behind), when an applied
 * one was changed since, or when the database is newer than these files.
 */
export async function migrate(
  target: Database | string,
  log: Log,
  {
    directory = ourMigrations,
    patienceSeconds = 60,
    signal,
  }: { directory?: string; patienceSeconds?: number; signal?: AbortSignal } = {},
): Promise<void> {
  const migrations = await readMigrations(directory);
  await using opened = typeof target === 'string' ? openForMigration(target, log) : undefined;
  const database = opened ?? (target as Database);

  await using connection = await connectPatiently(database, { log, patienceSeconds, signal });
  await connection.query('select pg_advisory_lock($1)', [advisoryLock]);
  await connection.query(
    `create table if not exists postern_migration (
       id         integer primary key,
       name       text not null,
       checksum   text not null,
       applied_at timestamptz not null default now()
     )`,
  );

  const missing = missingOf(migrations, await readApplied(connection));
  for (const migration of missing) {
    await apply(connection, migration);
    log.info({ migration: migration.name }, 'Migration applied');
  }
  if (missing.length === 0) log.info('The schema is current');
}

/**
 * Waits until every migration of this version is applied, and logs what it waits for: a database
 * that is away, or a schema that is behind. A newer schema is accepted, so that a process of the
 * previous version can still start during a deployment. Throws when an applied migration differs
 * from its file, and when `signal` aborts.
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
  for (;;) {
    signal?.throwIfAborted();
    const reason = await whyNotCurrent(database, migrations);
    if (reason === undefined) return;
    if (reason !== lastReason) log?.warn(`Waiting for the database: ${reason}`);
    lastReason = reason;
    await pause(pollMs, undefined, { signal });
  }
}

const pollMs = 250;

async function whyNotCurrent(database: Database, migrations: Migration[]): Promise<string | undefined> {
  try {
    const applied = await readApplied(database);
    const newest = Math.max(0, ...migrations.map(({ id }) => id));
    const [next] = missingOf(
      migrations,
      applied.filter(({ id }) => id <= newest),
    );
    return next && `migration ${next.name} is not applied; run node deploy/migrate.ts`;
  } catch (error) {
    if (isUnavailable(error)) return `PostgreSQL is away (${(error as Error).message})`;
    if ((error as { code?: unknown }).code === undefinedTable) {
      return 'it has no schema yet; run node deploy/migrate.ts';
    }
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

async function apply(connection: Connection, { id, name, sql, checksum }: Migration): Promise<void> {
  try {
    await connection.query('begin');
    // Comes first, so that two runs that got past the lock collide here and not in the middle of a table.
    await connection.query('insert into postern_migration (id, name, checksum) values ($1, $2, $3)', [
      id,
      name,
      checksum,
    ]);
    await connection.query(sql);
    await connection.query('commit');
  } catch (error) {
    // The session ends with the error and takes the transaction with it.
    throw new Error(`Migration ${name} failed and left nothing behind: ${(error as Error).message}`, {
      cause: error,
    });
  }
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
      if (!isUnavailable(error) || performance.now() > deadline) throw error;
      if (!told) log.warn({ err: error }, `Waiting up to ${patienceSeconds} s for PostgreSQL`);
      told = true;
      await pause(pollMs, undefined, { signal });
    }
  }
}

function openForMigration(url: string, log: Log): Database {
  return openDatabase({ url, applicationName: 'postern-migrate', max: 1, log });
}

if (import.meta.main) {
  await runProcess(
    'migrate',
    () => readMigrateEnvironment(process.env),
    async ({ environment, log, signal }) => {
      await migrate(environment.databaseUrl, log, { signal });
      return 'finished';
    },
  );
}
