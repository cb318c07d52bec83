import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { openLog } from '../../deploy/log.ts';
import { awaitSchema, migrate } from '../../deploy/migrate.ts';
import { freshDatabase, ownPostgres } from '../kit/database.ts';
import { until } from '../kit/until.ts';

const log = openLog('migrate', 'silent');

/** An empty database and a folder of migrations that a test may change. */
async function begin(files: Record<string, string>) {
  const resources = new AsyncDisposableStack();
  const fresh = resources.use(await freshDatabase());
  await fresh.query('drop schema public cascade');
  await fresh.query('create schema public');
  const directory = await mkdtemp(join(tmpdir(), 'postern-migrations-'));
  resources.defer(() => rm(directory, { recursive: true }));
  const write = async (given: Record<string, string>) => {
    for (const [name, sql] of Object.entries(given)) await writeFile(join(directory, name), sql);
  };
  await write(files);
  const database = resources.use(openDatabase({ url: fresh.url, applicationName: 'migrate-test' }));
  return {
    database,
    directory,
    write,
    url: fresh.url,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const first = { '000001_first.sql': 'create table first (id integer);\ncreate index on first (id);' };
const second = { '000002_second.sql': 'alter table first add column name text;' };

test('missing migrations are applied in order, applied ones are left alone', async () => {
  await using given = await begin(first);
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await given.write(second);
  await migrate(given.url, log, { directory });
  await migrate(database, log, { directory });

  const { rows } = await database.query('select id, name from postern_migration order by id');
  expect(rows).toEqual([
    { id: 1, name: '000001_first' },
    { id: 2, name: '000002_second' },
  ]);
  await database.query('select id, name from first');
});

test('many at once do the work once', async () => {
  await using given = await begin({ ...first, ...second });
  const { database, directory } = given;
  await Promise.all(Array.from({ length: 8 }, () => migrate(database, log, { directory })));
  expect((await database.query('select from postern_migration')).rowCount).toBe(2);
});

test('one that fails leaves nothing behind and can be tried again', async () => {
  await using given = await begin({
    ...first,
    '000002_second.sql': 'create table half (id integer); select nonsense;',
  });
  const { database, directory } = given;
  await expect(migrate(database, log, { directory })).rejects.toThrow('Migration 000002_second failed');
  expect((await database.query("select to_regclass('half') as half")).rows).toEqual([{ half: null }]);

  await given.write(second);
  await migrate(database, log, { directory });
  expect((await database.query('select from postern_migration')).rowCount).toBe(2);
});

const concurrently = {
  '000002_index.sql':
    '-- no transaction\n-- For the list.\ncreate index concurrently first_by_id on first (id);\n\ncreate unique index concurrently first_once on first (id);\n',
};
const validOf =
  "select relname, indisvalid from pg_index join pg_class on oid = indexrelid where relname like 'first_%' order by 1";

test('an index is built beside running processes, by one of many', async () => {
  await using given = await begin({ ...first, ...concurrently });
  const { database, directory } = given;
  await Promise.all(Array.from({ length: 4 }, () => migrate(given.url, log, { directory })));
  expect((await database.query(`${validOf} limit 3`)).rows).toContainEqual({
    relname: 'first_by_id',
    indisvalid: true,
  });
  expect((await database.query('select from postern_migration')).rowCount).toBe(2);
});

test('an index that was left unfinished is built anew, and one that is finished is kept', async () => {
  await using given = await begin(first);
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await database.query('insert into first values (1), (1)');
  await given.write(concurrently);
  await expect(migrate(database, log, { directory })).rejects.toThrow(
    '000002_index failed and can be run again: could not create unique index',
  );
  const valid = async () =>
    (await database.query<{ relname: string; indisvalid: boolean }>(validOf)).rows
      .filter(({ relname }) => relname !== 'first_id_idx')
      .map(({ relname, indisvalid }) => [relname, indisvalid]);
  expect(await valid()).toEqual([
    ['first_by_id', true],
    ['first_once', false],
  ]);
  const oidOf = "select 'first_by_id'::regclass::oid::text as oid";
  const { rows: before } = await database.query(oidOf);
  await database.query('delete from first');
  await migrate(database, log, { directory });
  expect(await valid()).toEqual([
    ['first_by_id', true],
    ['first_once', true],
  ]);
  expect((await database.query(oidOf)).rows).toEqual(before);
});

test('a file without a transaction holds nothing that could be left half-done', async () => {
  await using given = await begin({
    ...first,
    '000002_bad.sql': '-- no transaction\nalter table first add column name text;\n',
  });
  await expect(migrate(given.database, log, { directory: given.directory })).rejects.toThrow(
    'may contain only "create index concurrently',
  );
});

test('a table that somebody has locked is asked for again, and others are not kept waiting', async () => {
  await using given = await begin(first);
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await given.write(second);
  const lines: string[] = [];
  const loud = openLog('migrate', 'info', {
    destination: { write: (line) => lines.push(JSON.parse(line).msg) },
  });
  let migrating: Promise<void> | undefined;
  await database.transaction(async (tx) => {
    await tx.query('select from first');
    migrating = migrate(given.url, loud, { directory });
    await until(() => lines.some((line) => line.includes('trying again')), {
      what: 'the migration to give up the first time',
    });
  });
  await migrating;
  await database.query('select name from first');
});

test('a deadlock with a process that runs is no failure: the migration is tried again', async () => {
  await using given = await begin({
    '000001_first.sql': 'create table first (id integer); create table other (id integer);',
  });
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await given.write({
    '000002_second.sql': 'alter table first add column name text; alter table other add column name text;',
  });
  let migrating: Promise<void> | undefined;
  await database.transaction(async (tx) => {
    // PostgreSQL ends whoever looks first.
    await tx.query("set local deadlock_timeout = '60s'");
    await tx.query('select from other');
    migrating = migrate(given.url, log, { directory });
    await until(
      async () =>
        (await tx.query("select from pg_locks where relation = 'other'::regclass and not granted")).rowCount >
        0,
      { what: 'the migration to wait for the other table' },
    );
    await tx.query('select from first');
  });
  await migrating;
  await database.query('select first.name, other.name from first, other');
});

test('a lock that is never given up ends the migration with what to do', async () => {
  await using given = await begin(first);
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await given.write(second);
  await database.transaction(async (tx) => {
    await tx.query('select from first');
    await expect(migrate(given.url, log, { directory, patienceSeconds: 0 })).rejects.toThrow(
      'Migration 000002_second failed and left nothing behind: another session holds a lock',
    );
  });
});

test('an applied migration that was changed is refused', async () => {
  await using given = await begin(first);
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await given.write({ '000001_first.sql': 'create table other (id integer);' });
  await expect(migrate(database, log, { directory })).rejects.toThrow('000001_first was changed');
  await expect(awaitSchema(database, { log, directory })).rejects.toThrow('000001_first was changed');
});

test('line ends of another platform are not a change', async () => {
  await using given = await begin(first);
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await given.write({ '000001_first.sql': first['000001_first.sql'].replaceAll('\n', '\r\n') });
  await migrate(database, log, { directory });
});

test('a database of a newer version is not migrated, but a process of the old one may run on it', async () => {
  await using given = await begin({ ...first, ...second });
  const { database, directory } = given;
  await migrate(database, log, { directory });
  await rm(join(directory, '000002_second.sql'));
  await expect(migrate(database, log, { directory })).rejects.toThrow('migrated by a newer one');
  await awaitSchema(database, { log, directory });
});

test.each([
  ['a name without a number', { 'first.sql': 'select 1' }, 'NNNNNN_what_it_does.sql'],
  [
    'a number used twice',
    { '000001_a.sql': 'select 1', '000001_b.sql': 'select 1' },
    'Two migrations have the number',
  ],
])('%s is refused', async (_, files, message) => {
  await using given = await begin(files);
  await expect(migrate(given.database, log, { directory: given.directory })).rejects.toThrow(message);
});

test('a process waits for the schema and says what it waits for', async () => {
  await using given = await begin(first);
  const { database, directory } = given;
  const lines: string[] = [];
  const loud = openLog('api', 'info', { destination: { write: (line) => lines.push(JSON.parse(line).msg) } });
  const waiting = awaitSchema(database, { log: loud, directory });
  await until(() => lines.length > 0);
  await migrate(database, log, { directory });
  await waiting;
  expect(lines[0]).toContain('no schema yet');
});

test('a process that is told to stop stops waiting', async () => {
  await using given = await begin(first);
  const stopping = new AbortController();
  const waiting = awaitSchema(given.database, { log, directory: given.directory, signal: stopping.signal });
  stopping.abort(new Error('stopping'));
  await expect(waiting).rejects.toThrow();
});

test('a database that is not up yet is waited for, by the migration and by the processes', async () => {
  await using postgres = await ownPostgres();
  await using database = openDatabase({ url: postgres.url, applicationName: 'migrate-test' });
  await postgres.stop('fast');
  const lines: string[] = [];
  const loud = openLog('migrate', 'info', {
    destination: { write: (line) => lines.push(JSON.parse(line).msg) },
  });
  const migrating = migrate(postgres.url, loud);
  const waiting = awaitSchema(database, { log: loud });
  await until(
    () =>
      lines.some((line) => line.startsWith('Waiting up to')) &&
      lines.some((line) => line.includes('is unavailable')),
  );
  await postgres.start();
  await Promise.all([migrating, waiting]);
});

test('patience ends', async () => {
  const nowhere = 'postgres://postern@127.0.0.1:1/postern';
  await expect(migrate(nowhere, log, { patienceSeconds: 0 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
