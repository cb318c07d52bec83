// Behind a real PgBouncer, as managed databases put one in front of PostgreSQL.
import { expect, inject, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { emptyDatabase, urlOfProcess } from '../kit/database.ts';
import { startPooler, whyNoPooler } from '../kit/pooler.ts';
import { startProcess } from '../kit/process.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const noPooler = whyNoPooler();
if (noPooler) console.info(`Skipping the tests behind a pooler: ${noPooler}.`);

const { serverUrl } = inject('template');

const passwordIn = (url: string) => decodeURIComponent(new URL(url).password);

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

test.skipIf(noPooler)('in session mode everything works: an empty database, and a mail', async () => {
  await using pooler = await startPooler(serverUrl, { pool_mode: 'session' });
  await using empty = await emptyDatabase(serverUrl);
  const url = pooler.through(empty.url);

  await using migrated = await startProcess(migration(url));
  expect(await migrated.exited, migrated.output).toMatchObject({ code: 0 });

  await using stack = await startStack({ database: { url, query: empty.query } });
  const { status } = await stack.api.post('/api/v1/emails', {
    to: 'ann@example.com',
    subject: 'Through the pooler',
    text: 'Hello',
  });
  expect(status).toBe(202);
  await until(() => stack.provider.messages.length, { what: 'the mail to be with the provider' });
});

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
