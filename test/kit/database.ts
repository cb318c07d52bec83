// A migrated database for every test that wants one, cloned from a template in a few hundredths of a second.
import { randomBytes } from 'node:crypto';
import { Client, Pool, type QueryResultRow } from 'pg';
import { openLog } from '../../deploy/log.ts';
import { migrate } from '../../deploy/migrate.ts';
import { roleOf, urlAs } from '../../deploy/roles.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts';
import { until } from './until.ts';

/** Where clones come from; `global-setup.ts` makes it once a run and hands it to every test file. */
export type Template = {
  /** The server's maintenance database. */
  readonly serverUrl: string;
  /** The name of the migrated template database. */
  readonly name: string;
};

/** Roles belong to the server, and every run on it sets the same passwords. */
const passwords = { api: 'of the api', relay: 'of the relay', worker: 'of the worker' };

/** A database of the kit as one of Postern's processes sees it. */
export function urlOfProcess(url: string, process: keyof typeof roleOf): string {
  return urlAs(url, roleOf[process], passwords[process]);
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly template: Template;
  }
}

type Query = <R extends QueryResultRow = QueryResultRow>(
  text: string,
  values?: readonly unknown[],
) => Promise<{ rows: R[]; rowCount: number | null }>;

export type TestDatabase = AsyncDisposable & {
  readonly url: string;
  readonly name: string;
  /** For tests that look behind the curtain; our own processes open their own connections. */
  readonly query: Query;
  /** Ends every session and drops the database. */
  stop(): Promise<void>;
};

/**
 * A database of one's own, with all migrations applied and nothing else in it.
 *
 * @param template only outside vitest (benchmarks, the crash ledger): the result of `createTemplate`.
 */
export async function freshDatabase(template?: Template): Promise<TestDatabase> {
  const { serverUrl, name } = template ?? (await givenTemplate());
  return createDatabase(serverUrl, `template ${name}`);
}

/** Migrates a database to this checkout's schema, with a role for each process. */
export function bringUpToDate(url: string): Promise<void> {
  return migrate(url, openLog('migrate', 'warn'), { roles: passwords });
}

/** A database of one's own with nothing in it, not even our schema. */
export function emptyDatabase(serverUrl: string): Promise<TestDatabase> {
  return createDatabase(serverUrl);
}

async function createDatabase(serverUrl: string, wishes = ''): Promise<TestDatabase> {
  const name = `postern_test_${randomBytes(6).toString('hex')}`;
  await administer(serverUrl, `create database ${name} ${wishes}`);
  const url = urlOf(serverUrl, name);
  const pool = quietPool(url);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= pool.end().then(() => administer(serverUrl, `drop database if exists ${name} with (force)`));
    return stopped;
  };
  return { url, name, query: queryOf(pool), stop, [Symbol.asyncDispose]: stop };
}

/** Creates and migrates the database that `freshDatabase` clones. The caller drops it with `dropTemplate`. */
export async function createTemplate(serverUrl: string): Promise<Template> {
  const name = `postern_template_${randomBytes(4).toString('hex')}`;
  await administer(serverUrl, `create database ${name}`);
  await bringUpToDate(urlOf(serverUrl, name));
  // A database with sessions cannot be cloned, and the migration's last one may still be saying goodbye.
  await using client = await connected(serverUrl);
  await until(
    async () => {
      const sessions = await client.query('select from pg_stat_activity where datname = $1', [name]);
      return sessions.rowCount === 0;
    },
    { what: 'the migration to close its connections' },
  );
  return { serverUrl, name };
}

export async function dropTemplate({ serverUrl, name }: Template): Promise<void> {
  await administer(serverUrl, `drop database if exists ${name} with (force)`);
}

export type OwnPostgres = EmbeddedPostgres & { readonly query: Query };

/**
 * A server of one's own for outage tests, with one migrated database: it can be stopped, killed and started
 * again without disturbing anybody else. Always embedded, whatever the run's server is.
 */
export async function ownPostgres(): Promise<OwnPostgres> {
  const server = await startEmbeddedPostgres();
  await administer(server.url, 'create database postern');
  const url = urlOf(server.url, 'postern');
  await bringUpToDate(url);
  const pool = quietPool(url);
  return {
    url,
    port: server.port,
    data: server.data,
    query: queryOf(pool),
    stop: server.stop,
    kill: server.kill,
    start: server.start,
    promote: server.promote,
    keep: server.keep,
    putBack: server.putBack,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function givenTemplate(): Promise<Template> {
  // Imported here, because vitest refuses to be loaded by anything that it does not run itself.
  const { inject } = await import('vitest');
  return inject('template');
}

function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** The server of an outage test goes away under idle connections; the next query tells, no event needs to. */
function quietPool(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 3, application_name: 'test' });
  pool.on('error', () => {});
  return pool;
}

/** Asks a server that is none of `freshDatabase` and `ownPostgres`. */
export function openQuery(url: string): AsyncDisposable & { readonly query: Query } {
  const pool = quietPool(url);
  return { query: queryOf(pool), [Symbol.asyncDispose]: () => pool.end() };
}

const queryOf =
  (pool: Pool): Query =>
  (text, values = []) =>
    pool.query(text, [...values]);

async function administer(serverUrl: string, statement: string): Promise<void> {
  await using client = await connected(serverUrl);
  await client.query(statement);
}

/** One session, for what belongs to a session. */
export async function connected(url: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: url, application_name: 'test' });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
