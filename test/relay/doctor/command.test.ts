import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { readRelayEnvironment } from '../../../deploy/environment.ts';
import { beat } from '../../../relay/client/status/heartbeat.ts';
import type { Examination } from '../../../relay/doctor/examination.ts';
import { announceLanes, laneKey } from '../../../relay/lane-state/lanes.ts';
import { createAuthority } from '../../kit/certificate.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../kit/database.ts';
import type { Provider } from '../../kit/provider.ts';
import { expectNoSecret, password, providerForTests, runDoctor, type Variables } from './patient.ts';

async function run(environment: Variables, args: string[] = [], dotEnv?: string) {
  const { code, output } = await runDoctor(environment, args, dotEnv === undefined ? {} : { dotEnv });
  expectNoSecret(output);
  return { code, output, firstLine: output.split('\n')[0] };
}

async function runJson(environment: Variables, args: string[] = []): Promise<Examination> {
  return JSON.parse((await run(environment, ['--json', ...args])).output) as Examination;
}

describe('the command', () => {
  test('exits with 0 and one green line when mail can leave; nothing is coloured off a terminal', async () => {
    await using provider = await providerForTests();
    const { code, output, firstLine } = await run(provider.environment());
    expect({ code, firstLine }).toEqual({
      code: 0,
      firstLine: `OK: mail can leave by smtp-${provider.implicitPort} (127.0.0.1 port ${provider.implicitPort}).`,
    });
    expect(output).not.toContain('\u001b[');
    expect(output).toMatch(/\n1 AUTH sent; no message was sent\./);
  });

  test('exits with 1 and begins with the cause when it cannot', async () => {
    await using provider = await providerForTests();
    provider.users.set(provider.user, 'another');
    const { code, firstLine } = await run(provider.environment());
    expect({ code, firstLine }).toEqual({
      code: 1,
      firstLine:
        'FAILED at auth: auth-bad-credentials: User name or password is wrong. Look at SMTP_USER, SMTP_PASSWORD.',
    });
  });

  test('answers machines in JSON', async () => {
    await using provider = await providerForTests();
    expect(await runJson(provider.environment())).toMatchObject({
      ok: true,
      diagnosis: null,
      signIns: [{ attempts: 1 }],
    });
  });

  test('says how it is used when it does not understand, and exits with 2', async () => {
    const { code, output } = await run({}, ['--jsno']);
    expect(code).toBe(2);
    expect(output).toMatch(/^Usage: npm run doctor/);
  });

  test('reads .env as the local run does, below what is set in the process', async () => {
    await using provider = await providerForTests();
    const { SMTP_PASSWORD, ...rest } = provider.environment();
    const lines = Object.entries({ ...rest, SMTP_USER: 'nobody' }).map(
      ([name, value]) => `${name}='${value}'`,
    );
    const { code } = await run({ SMTP_PASSWORD, SMTP_USER: provider.user }, [], lines.join('\n'));
    expect(code).toBe(0);
  });

  test('sends one message to the sender itself when asked for a canary, and says so when it is refused', async () => {
    await using provider = await providerForTests();
    const { code, output } = await run(provider.environment(), ['--canary']);
    expect(output).toMatch(/\n1 AUTH sent; one message was sent\./);
    expect(code).toBe(0);
    expect(provider.messages.map(({ envelope }) => envelope)).toEqual([
      { sender: 'mailer@mail.test', recipients: ['mailer@mail.test'] },
    ]);
    provider.on('dot', '553 5.7.1 Sender address rejected: not owned by user');
    const { firstLine } = await run(provider.environment(), ['--canary']);
    expect(firstLine).toMatch(/^FAILED at dot: sender-/);
  });
});

describe('with the database of an installation', () => {
  /** What a relay leaves there at its start. */
  async function announce(database: TestDatabase, provider: Provider, more: Record<string, unknown> = {}) {
    const environment = readRelayEnvironment({
      DATABASE_URL: database.url,
      RELAY_PASSWORD: 'x',
      ...provider.environment(),
    });
    await using opened = openDatabase({ url: database.url, applicationName: 'test' });
    await announceLanes(
      opened,
      environment.providers.map((each) => ({ key: laneKey(each), name: each.name, routes: each.routes })),
    );
    await beat(opened, {
      instance: '019b0000-0000-7000-8000-000000000001',
      process: 'relay',
      report: {
        configured: true,
        missing: [],
        routes: environment.providers.flatMap(({ routes }) => routes),
        secrets: {},
        ...more,
      },
    });
  }

  test('an address that asks for TLS where there is none is a finding, not a silent database', async () => {
    await using database = await freshDatabase();
    await using provider = await providerForTests();
    const DATABASE_URL = `${database.url}?sslmode=verify-full`;
    const { findings } = await runJson({ ...provider.environment(), DATABASE_URL });
    expect(findings[0]).toMatchObject({ variable: 'DATABASE_URL', cause: 'env-database-tls' });
  });

  test('a refused credential is not offered again within a minute, and its answer is remembered', async () => {
    await using database = await freshDatabase();
    await using provider = await providerForTests();
    provider.users.set(provider.user, 'another');
    await announce(database, provider);
    const environment = { ...provider.environment(), DATABASE_URL: urlOfProcess(database.url, 'relay') };
    const first = await runJson(environment);
    expect(first.signIns).toMatchObject([{ attempts: 1 }]);
    const second = await runJson(environment);
    expect(second.signIns).toMatchObject([{ attempts: 0 }]);
    expect(second.diagnosis).toMatchObject({ stage: 'auth', cause: 'auth-bad-credentials' });
    expect(provider.authAttempts).toHaveLength(1);

    await database.query(`update sign_in set at = now() - interval '61 seconds'`);
    provider.users.set(provider.user, password);
    expect((await runJson(environment)).ok).toBe(true);
    expect(provider.authAttempts).toHaveLength(2);
    const { rows } = await database.query('select auth_by, proven_at is not null as proven from lane');
    expect(rows).toEqual([{ auth_by: null, proven: true }]);
  });

  test('a relay that was started with another password is noticed', async () => {
    await using database = await freshDatabase();
    await using provider = await providerForTests();
    await announce(database, provider, { secrets: { SMTP_PASSWORD: { length: 9, fingerprint: '0000' } } });
    const { notes } = await runJson({
      ...provider.environment(),
      DATABASE_URL: urlOfProcess(database.url, 'relay'),
    });
    expect(notes.join()).toMatch(
      /another SMTP_PASSWORD \(9 characters, fingerprint 0000\) than this environment \(18 characters/,
    );
  });

  test('no relay running is noticed', async () => {
    await using database = await freshDatabase();
    await using provider = await providerForTests();
    const { notes } = await runJson({
      ...provider.environment(),
      DATABASE_URL: urlOfProcess(database.url, 'relay'),
    });
    expect(notes).toEqual(['No relay is running on this database: mail waits until one is started.']);
  });

  test('a relay that owns the database is noticed', async () => {
    await using database = await freshDatabase();
    await using provider = await providerForTests();
    const { notes } = await runJson({ ...provider.environment(), DATABASE_URL: database.url });
    expect(notes.join()).toContain(
      'The relay is postgres in the database, who may change and read everything',
    );
  });

  test('a certificate for submitters that runs out is noticed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'postern-certificate-'));
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const { cert, key } = await (await createAuthority()).issue();
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    await using provider = await providerForTests();
    const { notes } = await runJson({
      ...provider.environment(),
      RELAY_TLS_CERT_FILE: files.cert,
      RELAY_TLS_KEY_FILE: files.key,
    });
    await rm(folder, { recursive: true });
    expect(notes.join()).toMatch(/The certificate for submitters in RELAY_TLS_CERT_FILE runs out on \d{4}-/);
  });

  test('a variable that reached the api but not the relay is the cause', async () => {
    await using database = await freshDatabase();
    await using opened = openDatabase({ url: database.url, applicationName: 'test' });
    await beat(opened, {
      instance: '019b0000-0000-7000-8000-000000000002',
      process: 'api',
      report: { provider_variables: ['SMTP_HOST', 'SMTP_USER', 'SMTP_PASSWORD'] },
    });
    const { firstLine, output } = await run({
      DATABASE_URL: urlOfProcess(database.url, 'relay'),
      SMTP_FROM_EMAIL: 'mailer@mail.test',
    });
    expect(firstLine).toMatch(
      /^FAILED at config: env-wrong-process: .*SMTP_HOST, SMTP_USER, SMTP_PASSWORD\.$/,
    );
    expect(output).toContain('SMTP_HOST is set in the api but not in the relay');
  });
});
