// The roles of the database: who may do what, on a new database, on one of 0.1.0, and beside another Postern.
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { grants, readKeys } from '../../deploy/grants.ts';
import { openLog } from '../../deploy/log.ts';
import { awaitSchema, migrate } from '../../deploy/migrate.ts';
import { roleOf, urlAs } from '../../deploy/roles.ts';
import { freshDatabase, ownPostgres, urlOfProcess } from '../kit/database.ts';
import { startEmbeddedPostgres } from '../kit/embedded.ts';

const log = openLog('migrate', 'silent');
const passwords = { api: "it's one", relay: 'two ünd $2', worker: 'three' };

const open = (url: string) => openDatabase({ url, applicationName: 'roles-test', max: 2 });

test.each([
  ['api', 'select content from message_part'],
  ['api', "insert into message (queue_id) values ('x')"],
  ['api', 'update message set size = 1'],
  ['api', 'delete from email'],
  ['api', 'select * from lane'],
  ['api', 'select secret from webhook_secret'],
  ['api', 'select * from graphile_worker.jobs'],
  ['relay', 'select * from customer'],
  ['relay', 'select * from api_key'],
  ['relay', 'select html_body from email'],
  ['relay', 'delete from message'],
  ['relay', "select * from message_source('x')"],
  ['relay', 'select * from webhook_secret'],
  ['relay', 'delete from webhook_delivery'],
  ['worker', 'select * from customer'],
  ['worker', 'select * from api_key'],
  ['worker', 'select answer from idempotency_key'],
  ['worker', 'select token_hash from invitation'],
  ['worker', 'select content from message_part'],
  ['worker', "update recipient set status = 'queued'"],
  ...(['api', 'relay', 'worker'] as const).flatMap((process) =>
    [
      'create table mine (id integer)',
      'alter table email add column mine text',
      'drop table event',
      'truncate event',
      'delete from postern_migration',
      'alter table email disable trigger all',
      'create function mine() returns integer language sql return 1',
      'alter function message_source(text, integer) security invoker',
      "copy email to program 'cat'",
      "select pg_read_file('postgresql.conf')",
      'create role mine superuser',
      'set role postgres',
    ].map((statement) => [process, statement] as const),
  ),
] as const)('the %s may not: %s', async (process, statement) => {
  await using database = await freshDatabase();
  await using as = open(urlOfProcess(database.url, process));
  await expect(as.query(statement)).rejects.toThrow(
    /permission denied|must be owner|must be superuser|only roles? with/i,
  );
});

test('the bytes of one mail come from a function that no search path can lead astray', async () => {
  await using database = await freshDatabase();
  await database.query(
    "insert into message_part (queue_id, part, content) values ('a', 0, 'first'), ('b', 0, 'other'), ('a', 1, 'second')",
  );
  await using api = open(urlOfProcess(database.url, 'api'));
  await api.transaction(async (tx) => {
    await tx.query('create temporary table message_part (queue_id text, part integer, content bytea)');
    await tx.query('set local search_path = pg_temp, public');
    const { rows } = await tx.query<{ content: Buffer }>("select content from public.message_source('a')");
    expect(rows.map(({ content }) => content.toString())).toEqual(['first', 'second']);
  });
});

test('every role has what the list says, and a second migration changes nothing', async () => {
  await using database = await freshDatabase();
  await using owner = open(database.url);
  const before = await readKeys(owner);
  for (const role of Object.values(roleOf)) {
    expect(before.filter(({ key }) => key.startsWith(`${role}|`)).length).toBeGreaterThan(
      Object.keys(grants[role].tables).length,
    );
  }
  const { rows: marks } = await owner.query('select sum(xmin::text::bigint) as sum from pg_class');
  await migrate(database.url, log, {
    roles: { api: 'of the api', relay: 'of the relay', worker: 'of the worker' },
  });
  expect(await readKeys(owner)).toEqual(before);
  expect((await owner.query('select sum(xmin::text::bigint) as sum from pg_class')).rows).toEqual(marks);
  const { rows } = await owner.query('select from pg_roles where rolname = any($1) and rolsuper', [
    Object.values(roleOf),
  ]);
  expect(rows).toEqual([]);
});

test('what is not in the list is taken away', async () => {
  await using database = await freshDatabase();
  await using owner = open(database.url);
  const before = await readKeys(owner);
  await owner.query('grant all on customer to postern_relay');
  await owner.query('grant select (content) on message_part to postern_api');
  await owner.query('revoke select on cause from postern_api');
  // As it was before PostgreSQL 15, and is still on a server that was upgraded.
  await owner.query('grant create on schema public to public');
  await migrate(database.url, log, {
    roles: { api: 'of the api', relay: 'of the relay', worker: 'of the worker' },
  });
  expect(await readKeys(owner)).toEqual(before);
  const { rows } = await owner.query("select has_schema_privilege('public', 'public', 'create') as open");
  expect(rows).toEqual([{ open: false }]);
});

test('a database of 0.1.0 is upgraded by the migration alone, and the old address still works', async () => {
  await using database = await freshDatabase();
  await database.query('drop schema public cascade');
  await database.query('drop schema graphile_worker cascade');
  await database.query('create schema public');
  const ours = join(import.meta.dirname, '../../deploy/migrations');
  const directory = await mkdtemp(join(tmpdir(), 'postern-0.1.0-'));
  await using _ = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
  for (const file of await readdir(ours))
    if (file <= '000016') await cp(join(ours, file), join(directory, file));
  await migrate(database.url, log, { directory });
  await using api = open(urlOfProcess(database.url, 'api'));
  const waiting = awaitSchema(api, { log });
  await migrate(database.url, log, {
    roles: { api: 'of the api', relay: 'of the relay', worker: 'of the worker' },
  });
  await waiting;
  await api.query('select count(*) from customer');
  await using worker = open(urlOfProcess(database.url, 'worker'));
  await worker.query('select count(*) from graphile_worker.jobs');
  await using owner = open(database.url);
  await owner.query("insert into message_part (queue_id, part, content) values ('a', 0, 'x')");
});

test('many migrations on one server at once, each of a database of its own', async () => {
  await using server = await startEmbeddedPostgres();
  await using owner = open(server.url);
  const names = ['one', 'two', 'three', 'four'];
  for (const name of names) await owner.query(`create database ${name}`);
  const urls = names.map((name) => Object.assign(new URL(server.url), { pathname: `/${name}` }).href);
  await Promise.all(urls.map((url) => migrate(url, log, { roles: passwords })));
  for (const url of urls) {
    for (const [process, role] of Object.entries(roleOf)) {
      await using as = open(urlAs(url, role, passwords[process as keyof typeof passwords]));
      expect((await as.query('select current_user as me')).rows).toEqual([{ me: role }]);
    }
  }
});

test('a password that was changed counts from the next migration on; another Postern keeps its own', async () => {
  await using server = await ownPostgres();
  await migrate(server.url, log, { roles: passwords });
  await using api = open(urlAs(server.url, 'postern_api', passwords.api));
  await api.query('select from customer');
  const { rows } = await server.query<{ rolpassword: string }>(
    "select rolpassword from pg_authid where rolname = 'postern_api'",
  );
  expect(rows[0]?.rolpassword).toMatch(/^SCRAM-SHA-256\$/);

  await server.query('create database other');
  const other = Object.assign(new URL(server.url), { pathname: '/other' }).href;
  await expect(migrate(other, log, { roles: { ...passwords, relay: 'another' } })).rejects.toThrow(
    'The role postern_relay belongs to the Postern in the database postern of this server and has another password',
  );
  await migrate(other, log, { roles: passwords });
});

test('a role that may do everything on the server is refused, because its process would', async () => {
  await using server = await startEmbeddedPostgres();
  await using root = open(server.url);
  await migrate(server.url, log, { roles: passwords });
  await root.query('alter role postern_worker superuser');
  await expect(migrate(server.url, log, { roles: passwords })).rejects.toThrow(
    'postern_worker may do everything on this server',
  );
});

test('an owner who may not create roles is told what to run', async () => {
  await using server = await startEmbeddedPostgres();
  await using root = open(server.url);
  await root.query("create role plain login password 'plain'");
  await root.query('create database plain owner plain');
  const url = Object.assign(new URL(server.url), {
    pathname: '/plain',
    username: 'plain',
    password: 'plain',
  }).href;
  await expect(migrate(url, log, { roles: passwords })).rejects.toThrow(
    'may not create the role postern_api. Let somebody who may run: create role postern_api login password',
  );
  for (const [process, role] of Object.entries(roleOf))
    await root.query(
      `create role ${role} login password '${passwords[process as keyof typeof passwords].replaceAll("'", "''")}'`,
    );
  await migrate(url, log, { roles: passwords });
  await using api = open(urlAs(url, 'postern_api', passwords.api));
  await api.query('select from customer');
});
