// The api as a process: it starts, tells what it is missing, and stops without cutting anybody off.
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { freshDatabase } from '../kit/database.ts';
import { freePort } from '../kit/ports.ts';
import { startProcess } from '../kit/process.ts';
import { until } from '../kit/until.ts';

async function environmentFor(databaseUrl: string) {
  const port = await freePort();
  return {
    port,
    environment: {
      DATABASE_URL: databaseUrl,
      API_PORT: String(port),
      API_BIND: '127.0.0.1',
      API_KEY: 'key-of-the-process',
      PUBLIC_URL: 'https://app.example.com',
      RELAY_HOST: '127.0.0.1',
      RELAY_PORT: String(await freePort()),
      RELAY_PASSWORD: 'submission-password',
      SMTP_FROM_EMAIL: 'hello@example.com',
      SMTP_PASSWORD: 'not-for-the-api',
    },
  };
}

test('it becomes ready, creates a customer without any relay, and a running request survives SIGTERM', async () => {
  await using database = await freshDatabase();
  const { port, environment } = await environmentFor(database.url);
  const base = `http://127.0.0.1:${port}`;
  await using api = await startProcess({ script: 'api/main.ts', environment, readyUrl: `${base}/readyz` });
  const post = (body: unknown) =>
    fetch(`${base}/api/customers`, {
      method: 'POST',
      headers: { authorization: 'Bearer key-of-the-process', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const first = await post({ name: 'Ann', email: 'ann@example.com', sendInvitation: true });
  expect(first.status).toBe(201);

  // Held in the middle of its transaction by a lock of ours, until the process has been told to stop.
  const locker = new Client({ connectionString: database.url });
  await locker.connect();
  await locker.query('begin; lock table customer in exclusive mode');
  const running = post({ name: 'Bob', email: 'bob@example.com' });
  const blocked = 'select from pg_stat_activity where wait_event_type = $1 and datname = current_database()';
  await until(async () => (await database.query(blocked, ['Lock'])).rowCount, {
    what: 'the request to wait',
  });
  api.kill('SIGTERM');
  await until(() => api.log.some(({ msg }) => msg === 'Stopping'), { what: 'the process to stop' });
  await locker.query('commit');
  await locker.end();
  expect((await running).status).toBe(201);
  expect(await api.exited).toEqual({ code: 0, signal: null });
  expect(api.output).not.toContain('key-of-the-process');
  expect(api.output).not.toContain('ann@example.com');
});

test('without what it needs it names every variable and exits 78 before it listens', async () => {
  const api = await startProcess({ script: 'api/main.ts', environment: { API_KEY: ' ' } });
  expect(await api.exited).toEqual({ code: 78, signal: null });
  for (const name of ['DATABASE_URL', 'API_KEY', 'PUBLIC_URL', 'RELAY_PASSWORD']) {
    expect(api.output).toContain(name);
  }
});
