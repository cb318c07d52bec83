import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { readRelayEnvironment } from '../../../deploy/environment.ts';
import { openLog } from '../../../deploy/log.ts';
import { emailStatus } from '../../../relay/client/status/heartbeat.ts';
import { type Preflight, startPreflight } from '../../../relay/doctor/preflight.ts';
import { announceLanes, laneKey } from '../../../relay/lane-state/lanes.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { type Provider, startProvider } from '../../kit/provider.ts';
import { startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';

const platform = { id: 'plain', name: 'a test' } as const;
const log = openLog('relay', 'silent');

type Relay = AsyncDisposable & { readonly preflight: Preflight };

/** One relay's preflight on a shared database: lanes are announced as delivery does. */
async function startRelay(database: TestDatabase, provider: Provider, everyMs = 60_000): Promise<Relay> {
  const environment = readRelayEnvironment({
    DATABASE_URL: database.url,
    RELAY_PASSWORD: 'a relay password',
    ...provider.environment(),
  });
  const opened = openDatabase({ url: database.url, applicationName: 'test relay', log });
  await announceLanes(
    opened,
    environment.providers.map((each) => ({ key: laneKey(each), name: each.name, routes: each.routes })),
  );
  const preflight = startPreflight({
    environment,
    database: opened,
    log,
    instance: randomUUID(),
    platform,
    alert: () => {},
    controls: false,
    everyMs,
  });
  return {
    preflight,
    async [Symbol.asyncDispose]() {
      await preflight[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

const examined = ({ preflight }: Relay) =>
  until(() => preflight.report(), { what: 'the preflight', timeoutMs: 20_000 });

describe('the budget of AUTH', () => {
  test('when all is well, replicas and repetitions together spend one', async () => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    await using first = await startRelay(database, provider, 50);
    await using second = await startRelay(database, provider, 50);
    expect((await examined(first)).ok).toBe(true);
    expect((await examined(second)).ok).toBe(true);
    const before = provider.connections.length;
    await until(() => provider.connections.length > before + 6, { what: 'some more preflights' });
    expect(provider.authAttempts).toHaveLength(1);
  });

  test('a wrong password is found by one, stops the lane, and is not tried again by anybody', async () => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    provider.users.set(provider.user, 'changed meanwhile');
    await using first = await startRelay(database, provider, 50);
    await using second = await startRelay(database, provider, 50);
    for (const { preflight } of [first, second]) {
      // Who looks while the other one signs in knows of nothing wrong; its next look does.
      const { ok, diagnosis } = await until(
        () => {
          const report = preflight.report();
          return report?.ok === false ? report : undefined;
        },
        { what: 'a preflight that knows of the refusal', timeoutMs: 20_000 },
      );
      expect({ ok, ...diagnosis }).toMatchObject({
        ok: false,
        stage: 'auth',
        cause: 'auth-bad-credentials',
        variables: ['SMTP_USER', 'SMTP_PASSWORD'],
      });
    }
    const before = provider.connections.length;
    await until(() => provider.connections.length > before + 6, { what: 'some more preflights' });
    expect(provider.authAttempts).toHaveLength(1);
    const { rows } = await database.query('select state, cause from lane');
    expect(rows).toEqual([{ state: 'stopped', cause: 'auth-bad-credentials' }]);
  });

  test('after five minutes the credential is tried again', async () => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    await using relay = await startRelay(database, provider, 50);
    await examined(relay);
    await database.query(`update lane set proven_at = now() - interval '301 seconds'`);
    await until(() => provider.authAttempts.length === 2, { what: 'a second AUTH' });
  });
});

test('a sender that was held, and is taken from the one who examines, is held no longer', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using relay = await startRelay(database, provider, 50);
  await examined(relay);
  await database.query(
    `insert into sender_hold (lane, sender, cause, detail, stage, next_probe_at)
     select key, $1, 'sender-not-owned', '553 not owned', 'mail', now() + interval '1 hour' from lane`,
    [provider.environment().SMTP_FROM_EMAIL],
  );
  await database.query(`update lane set proven_at = now() - interval '301 seconds'`);
  await until(
    async () => (await database.query('select from sender_hold where lifted_at is not null')).rowCount === 1,
    { what: 'the hold to be lifted' },
  );
});

describe('what the preflight found', () => {
  test('speaks from log, readiness and heartbeat before the first mail', async () => {
    await using provider = await startProvider();
    provider.on('auth', '534 5.7.9 Application-specific password required');
    await using stack = await startStack({ provider, processes: ['relay', 'api'] });
    const status = await until(
      async () => {
        const { report } = await emailStatus(stack.database as never);
        return report?.preflight;
      },
      { timeoutMs: 20_000, what: 'the heartbeat to tell' },
    );
    expect(status).toMatchObject({ ok: false, diagnosis: { stage: 'auth', cause: 'auth-app-password' } });
    const line = stack.relay.process.log.find(({ event }) => event === 'preflight');
    expect(line).toMatchObject({
      level: 'error',
      msg: 'Mail cannot leave: An app password is required',
      stage: 'auth',
      cause: 'auth-app-password',
      variables: ['SMTP_USER', 'SMTP_PASSWORD'],
    });
    const ready = await fetch(`${stack.relay.healthUrl}/readyz?verbose`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ ready: true, mail: { ok: false } });
    const brief = {
      ok: false,
      stage: 'auth',
      cause: 'auth-app-password',
      title: 'An app password is required',
    };
    const toStrangers = await stack.api.get('/api/v1/email-status', { key: null });
    expect(toStrangers.body.preflight).toEqual({ ...brief, at: expect.any(String) });
    const toAdmins = await stack.api.get('/api/v1/test-email/config');
    expect(toAdmins.body.preflight).toMatchObject({
      ...brief,
      variables: ['SMTP_USER', 'SMTP_PASSWORD'],
      fix: expect.stringContaining('app password'),
      reply: '534 5.7.9 Application-specific password required',
    });
    const apiReady = await fetch(`${stack.api.healthUrl}/readyz?verbose`);
    expect(await apiReady.json()).toMatchObject({ mail: { can_leave: false, cause: 'auth-app-password' } });
    expect(stack.output).not.toContain(provider.password);
    expect(provider.authAttempts).toHaveLength(1);
  });

  test('a variable that only the api sees is named by the relay', async () => {
    await using stack = await startStack({
      provider: false,
      processes: ['api'],
      api: { SMTP_HOST: 'mail.test', SMTP_USER: 'mailer@mail.test', SMTP_PASSWORD: 'a password' },
    });
    await stack.relay.start();
    const line = await until(() => stack.relay.process.log.find(({ event }) => event === 'preflight'), {
      what: 'the preflight',
    });
    expect(line).toMatchObject({
      cause: 'env-wrong-process',
      variables: ['SMTP_HOST', 'SMTP_USER', 'SMTP_PASSWORD'],
    });
  });

  test('a relay without a provider says which variables are missing', async () => {
    await using stack = await startStack({ provider: false, processes: ['relay'] });
    const line = await until(() => stack.relay.process.log.find(({ event }) => event === 'preflight'), {
      what: 'the preflight',
    });
    expect(line).toMatchObject({
      stage: 'config',
      cause: 'env-missing',
      variables: ['SMTP_HOST', 'SMTP_USER', 'SMTP_PASSWORD'],
    });
  });
});
