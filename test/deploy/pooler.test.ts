// Behind a real PgBouncer, as managed databases put one in front of PostgreSQL.
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, inject, test } from 'vitest';
import { type Connection, isRefusedLogin, isUnavailable, openDatabase } from '../../deploy/database.ts';
import { awaitSchema } from '../../deploy/migrate.ts';
import { sharesSessions } from '../../deploy/pooler.ts';
import { urlAs } from '../../deploy/roles.ts';
import { emptyDatabase, urlOfProcess } from '../kit/database.ts';
import { startEmbeddedPostgres } from '../kit/embedded.ts';
import { startPooler, whyNoPooler } from '../kit/pooler.ts';
import { freePort } from '../kit/ports.ts';
import { startProcess } from '../kit/process.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const noPooler = whyNoPooler();
if (noPooler) console.info(`Skipping the tests behind a pooler: ${noPooler}.`);

const { serverUrl } = inject('template');

const passwordIn = (url: string) => decodeURIComponent(new URL(url).password);

const usual = {
  RELAY_PASSWORD: 'Vq7pYs2dHf6kXt1uWz4e',
  API_KEY: 'Kd83hsnVq7pYs2dHf6kX',
  PUBLIC_URL: 'http://localhost:3000',
  RELAY_BIND: '127.0.0.1',
  API_BIND: '127.0.0.1',
};

/** As a deployment does it: the owner migrates, and makes a role for each process. */
const migration = (url: string) => ({
  script: 'deploy/migrate.ts',
  environment: {
    DATABASE_URL: url,
    DATABASE_API_PASSWORD: passwordIn(urlOfProcess(url, 'api')),
    DATABASE_RELAY_PASSWORD: passwordIn(urlOfProcess(url, 'relay')),
    DATABASE_WORKER_PASSWORD: passwordIn(urlOfProcess(url, 'worker')),
  },
});

test.skipIf(noPooler)(
  'in session mode everything works: an empty database, and 200 mails at once',
  async () => {
    await using pooler = await startPooler(serverUrl, { pool_mode: 'session' });
    await using empty = await emptyDatabase(serverUrl);
    const url = pooler.through(empty.url);

    await using migrated = await startProcess(migration(url));
    expect(await migrated.exited, migrated.output).toMatchObject({ code: 0 });

    await using stack = await startStack({ database: { url, query: empty.query } });
    const recipients = Array.from({ length: 200 }, (_, number) => `ann${number}@example.com`);
    const statuses = await Promise.all(
      recipients.map(async (to) => {
        const mail = { to, subject: 'Through the pooler', text: 'Hello' };
        return (await stack.api.post('/api/v1/emails', mail)).status;
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([202]));
    await until(() => stack.provider.messages.length >= recipients.length, {
      what: 'every mail to be with the provider',
      timeoutMs: 40_000,
    });
    const arrived = stack.provider.messages.flatMap(({ envelope }) => envelope.recipients);
    expect(arrived.sort()).toEqual(recipients.sort());
  },
);

test.skipIf(noPooler)('the session that the pooler gives to the next one has our settings', async () => {
  await using pooler = await startPooler(serverUrl, { pool_mode: 'session', default_pool_size: 1 });
  await using empty = await emptyDatabase(serverUrl);
  const seen: unknown[] = [];
  for (const applicationName of ['first', 'second']) {
    await using database = openDatabase({ url: pooler.through(empty.url), applicationName, max: 1 });
    const { rows } = await database.query(
      `select pg_backend_pid() as pid, current_setting('statement_timeout') as statement,
         current_setting('idle_in_transaction_session_timeout') as idle,
         current_setting('enable_seqscan') as seqscan, current_setting('jit') as jit,
         current_setting('application_name') as name`,
    );
    seen.push(rows[0]);
  }
  const settings = { statement: '30s', idle: '30s', seqscan: 'off', jit: 'off' };
  expect(seen).toMatchObject([
    { ...settings, name: 'first' },
    { ...settings, name: 'second', pid: (seen[0] as { pid: number }).pid },
  ]);
});

describe.skipIf(noPooler).each(['transaction', 'statement'] as const)('in %s mode', (pool_mode) => {
  test.each(['deploy/migrate.ts', 'api/main.ts', 'relay/main.ts', 'worker/main.ts'])(
    '%s says within 10 s what to set, and exits as for a wrong setting',
    async (script) => {
      await using pooler = await startPooler(serverUrl, { pool_mode });
      await using empty = await emptyDatabase(serverUrl);
      const DATABASE_URL = pooler.through(empty.url);
      const ports = Object.fromEntries(
        await Promise.all(
          ['API_PORT', 'RELAY_PORT', 'RELAY_HEALTH_PORT', 'WORKER_HEALTH_PORT'].map(
            async (name) => [name, String(await freePort())] as const,
          ),
        ),
      );
      await using started = await startProcess({ script, environment: { ...usual, ...ports, DATABASE_URL } });
      const ended = await Promise.race([started.exited, pause(10_000)]);
      expect(ended, started.output).toMatchObject({ code: 78 });
      expect(started.output).toContain(
        `DATABASE_URL leads to a pooler in transaction mode, which gives each transaction another session (${new URL(DATABASE_URL).host}). Set DATABASE_DIRECT_URL`,
      );
    },
  );
});

test.skipIf(noPooler)('the doctor finds a pooler in transaction mode', async () => {
  await using pooler = await startPooler(serverUrl, { pool_mode: 'transaction' });
  await using doctor = await startProcess({
    script: 'relay/doctor/main.ts',
    args: ['--json', '--no-controls'],
    environment: { ...usual, DATABASE_URL: pooler.through(serverUrl) },
  });
  await doctor.exited;
  expect(JSON.parse(doctor.output)).toMatchObject({
    findings: expect.arrayContaining([
      expect.objectContaining({
        variable: 'DATABASE_URL',
        cause: 'env-database-pooler',
        severity: 'problem',
      }),
    ]),
  });
});

test.skipIf(noPooler)('with DATABASE_DIRECT_URL the pooler is not used', async () => {
  await using pooler = await startPooler(serverUrl, { pool_mode: 'transaction' });
  await using empty = await emptyDatabase(serverUrl);
  const environment = { DATABASE_URL: pooler.through(empty.url), DATABASE_DIRECT_URL: empty.url };
  await using migrated = await startProcess({ script: 'deploy/migrate.ts', environment });
  expect(await migrated.exited, migrated.output).toMatchObject({ code: 0 });
  expect(migrated.output).toContain(
    'DATABASE_DIRECT_URL is set and used for everything; DATABASE_URL is not used',
  );
});

describe.skipIf(noPooler)('whether sessions are shared', () => {
  const shares = async (url: string) => {
    await using database = openDatabase({ url, applicationName: 'test' });
    await using ours = await database.connect();
    return await sharesSessions(ours, () => database.connect());
  };

  test('is seen with one session for all, with many, and with others at work', async () => {
    await using empty = await emptyDatabase(serverUrl);
    for (const settings of [{ default_pool_size: 1 }, { server_round_robin: 1, min_pool_size: 5 }, {}]) {
      await using pooler = await startPooler(serverUrl, { pool_mode: 'transaction', ...settings });
      const url = pooler.through(empty.url);
      const seen = await Promise.all(Array.from({ length: 5 }, () => shares(url)));
      expect(seen).toEqual([true, true, true, true, true]);
    }
  });

  test('is seen by the next look where somebody else had our session at the first one', async () => {
    await using empty = await emptyDatabase(serverUrl);
    await using pooler = await startPooler(serverUrl, { pool_mode: 'transaction' });
    await using database = openDatabase({ url: pooler.through(empty.url), applicationName: 'test' });
    await using ours = await database.connect();
    await using somebody = await database.connect();
    let looks = 0;
    const open = async (): Promise<Connection> => {
      const other = await database.connect();
      const query: Connection['query'] = async (statement, values) => {
        if (statement !== 'begin' || ++looks > 1) return other.query(statement, values);
        await somebody.query('begin');
        const begun = await other.query<never>('begin');
        await somebody.query('rollback');
        return begun;
      };
      return { ...other, query };
    };
    expect(await sharesSessions(ours, open)).toBe(true);
    expect(looks).toBe(1);
  });

  test('is denied of session mode and of PostgreSQL itself', async () => {
    await using empty = await emptyDatabase(serverUrl);
    await using pooler = await startPooler(serverUrl, { pool_mode: 'session' });
    const urls = [empty.url, ...Array(5).fill(pooler.through(empty.url))];
    expect(await Promise.all(urls.map(shares))).toEqual(urls.map(() => false));
  });
});

test.skipIf(noPooler)('a parameter that the pooler refuses is named with the variable', async () => {
  await using pooler = await startPooler(serverUrl, { pool_mode: 'session' });
  const url = new URL(pooler.through(serverUrl));
  url.searchParams.set('options', '-c work_mem=8MB');
  await using database = openDatabase({ url: url.href, applicationName: 'test' });
  await expect(awaitSchema(database)).rejects.toThrow(
    'DATABASE_URL leads to a pooler that refuses the parameter options',
  );
});

test.skipIf(noPooler)('a login that the pooler refuses is no outage', async () => {
  await using pooler = await startPooler(serverUrl, { pool_mode: 'session' });
  const url = new URL(pooler.through(serverUrl));
  for (const [username, password] of [
    ['nobody_here', 'x'],
    ['postgres', 'wrong'],
  ] as const) {
    Object.assign(url, { username, password });
    await using database = openDatabase({ url: url.href, applicationName: 'test' });
    const error = await database.connect().catch((reason) => reason);
    expect([isRefusedLogin(error), isUnavailable(error)], String(error)).toEqual([true, false]);
  }
});

test.skipIf(noPooler)('on a new server the roles are made, and a changed password counts', async () => {
  await using server = await startEmbeddedPostgres();
  await using pooler = await startPooler(server.url, { pool_mode: 'session' });
  const url = pooler.through(server.url);
  for (const password of ['Vq7pYs2dHf6kXt1uWz4e', 'Kd83hsnVq7pYs2dHf6kX']) {
    const { script, environment } = migration(url);
    await using migrated = await startProcess({
      script,
      environment: { ...environment, DATABASE_API_PASSWORD: password },
    });
    expect(await migrated.exited, migrated.output).toMatchObject({ code: 0 });
    await using database = openDatabase({
      url: urlAs(url, 'postern_api', password),
      applicationName: 'test',
    });
    await awaitSchema(database);
  }
});
