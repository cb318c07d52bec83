import { describe, expect, test } from 'vitest';
import type { Controls } from '../../../relay/doctor/controls.ts';
import { freePort } from '../../kit/ports.ts';
import { delay, type Mode, type Provider } from '../../kit/provider.ts';
import {
  blackHole,
  httpServer,
  imapServer,
  plainOnTlsPort,
  silentServer,
  slammingServer,
} from '../../kit/strangers.ts';
import { until } from '../../kit/until.ts';
import {
  type Advice,
  consult,
  expectNoSecret,
  password,
  providerForTests,
  type Variables,
} from './patient.ts';

const wellSet = {
  SMTP_HOST: '127.0.0.1',
  SMTP_PORT: '465',
  SMTP_USER: 'mailer@mail.test',
  SMTP_PASSWORD: password,
  SMTP_FROM_EMAIL: 'mailer@mail.test',
  SMTP_FAILOVER: 'off',
};

async function visit(environment: Variables, controls?: Controls): Promise<Advice> {
  const advice = await consult(environment, controls);
  expectNoSecret(advice.output);
  return advice;
}

/** A provider without a second route. */
function oneRoute(provider: Provider, mode: Mode = 'implicit'): Variables {
  return { ...provider.environment(mode), SMTP_FAILOVER: 'off', SMTP_FAILOVER_PORT: undefined };
}

describe('before any packet', () => {
  test.each<[string, Record<string, string | undefined>, string, string]>([
    [
      'nothing is set',
      { SMTP_HOST: undefined, SMTP_USER: undefined, SMTP_PASSWORD: undefined, SMTP_FROM_EMAIL: undefined },
      'env-missing',
      'SMTP_HOST, SMTP_USER, SMTP_PASSWORD, SMTP_FROM_EMAIL',
    ],
    ['the password is blank', { SMTP_PASSWORD: '' }, 'env-blank', 'SMTP_PASSWORD'],
    ['the host is quoted', { SMTP_HOST: '"mail.test"' }, 'env-quoted', 'SMTP_HOST'],
    ['the port ends with a semicolon', { SMTP_PORT: '465;' }, 'env-trailing-char', 'SMTP_PORT'],
    ['the user ends with a comma', { SMTP_USER: 'mailer@mail.test,' }, 'env-trailing-char', 'SMTP_USER'],
    [
      'the password ends with a line break',
      { SMTP_PASSWORD: `${password}\n` },
      'env-newline',
      'SMTP_PASSWORD',
    ],
    ['the host has a scheme', { SMTP_HOST: 'smtps://mail.test' }, 'env-scheme-in-host', 'SMTP_HOST'],
    [
      'a reference was not filled in',
      { SMTP_PASSWORD: '$' + '{MAIL_PASSWORD}' },
      'env-interpolated',
      'SMTP_PASSWORD',
    ],
    ['the port is not a number', { SMTP_PORT: 'smtp' }, 'env-port-garbage', 'SMTP_PORT'],
    [
      'port and TLS switch contradict each other',
      { SMTP_PORT: '587', SMTP_SECURE: 'true' },
      'env-tls-contradiction',
      'SMTP_SECURE',
    ],
    [
      'two names of the password disagree',
      { SMTP_PASS: 'another-password' },
      'env-alias-conflict',
      'SMTP_PASS',
    ],
    ['the password is a placeholder', { SMTP_PASSWORD: 'your-password' }, 'env-placeholder', 'SMTP_PASSWORD'],
    ['the host is a placeholder', { SMTP_HOST: 'smtp.example.com' }, 'env-placeholder', 'SMTP_HOST'],
    ['the host is the relay itself', { SMTP_HOST: 'relay', SMTP_PORT: '2525' }, 'env-loop', 'SMTP_HOST'],
    ['the From address is missing', { SMTP_FROM_EMAIL: undefined }, 'env-missing', 'SMTP_FROM_EMAIL'],
    [
      'a password would travel in clear',
      { SMTP_TLS_MODE: 'none' },
      'env-cleartext-password',
      'SMTP_TLS_MODE',
    ],
  ])('%s', async (_, more, cause, variables) => {
    const seen = await visit({ ...wellSet, ...more });
    expect(seen.firstLine).toContain(`FAILED at config: ${cause}: `);
    expect(seen.firstLine).toMatch(new RegExp(`Look at ${variables}\\.$`));
    expect(seen.examination.ok).toBe(false);
  });

  test.each([
    ['Coolify', { COOLIFY_RESOURCE_UUID: 'abc' }, /Coolify: open the resource.*SMTP_HOST.*Redeploy/],
    ['Render', { RENDER: 'true' }, /Render: .*SMTP_HOST/],
    ['Railway', { RAILWAY_ENVIRONMENT: 'production' }, /Railway: .*SMTP_HOST/],
    ['Heroku', { DYNO: 'web.1' }, /heroku config:set SMTP_HOST/],
    ['Kubernetes', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, /rollout restart/],
  ])('says what to type on %s', async (_, marks, words) => {
    const seen = await visit({ ...wellSet, SMTP_HOST: ' ', ...marks });
    expect(seen.output).toMatch(words);
  });

  test('a value is shown by its shape and fingerprint, with the command that computes it elsewhere', async () => {
    const seen = await visit({ ...wellSet, SMTP_PORT: 'x' });
    expect(seen.output).toMatch(
      /SMTP_PASSWORD +18 characters, from a letter to a digit, fingerprint [0-9a-f]{4}/,
    );
    expect(seen.output).toContain('scryptSync');
  });

  test('a relay that could not start is named, after what is wrong with mail', async () => {
    const seen = await visit({
      ...wellSet,
      RENDER: 'true',
      DATABASE_URL: 'mysql://nowhere',
      SMTP_PORT: '465,',
    });
    expect(seen.firstLine).toContain('env-trailing-char');
    expect(seen.output).toMatch(/problem: DATABASE_URL is not the address of a PostgreSQL database/);
  });

  test('capture mode is the cause when everything else is well', async () => {
    await using provider = await providerForTests();
    const seen = await visit({ ...provider.environment(), DELIVERY_MODE: 'capture' });
    expect(seen.firstLine).toMatch(/^FAILED at config: capture-mode: .*DELIVERY_MODE\.$/);
    expect(seen.examination.ok).toBe(false);
  });
});

describe('when all is well', () => {
  test.each(['implicit', 'starttls'] as const)(
    'mail can leave with %s TLS first, after one AUTH and no message',
    async (mode) => {
      await using provider = await providerForTests();
      const { examination } = await visit(provider.environment(mode));
      expect(examination.ok).toBe(true);
      expect(examination).toMatchObject({ ok: true, diagnosis: null, controls: [] });
      expect(examination.route).toBe(
        `smtp-${mode === 'implicit' ? provider.implicitPort : provider.starttlsPort}`,
      );
      expect(examination.ms).toBeLessThan(2_000);
      expect(provider.authAttempts).toHaveLength(1);
      expect(provider.messages).toEqual([]);
      await until(() => provider.commands().includes('RSET'));
      const [walk] = examination.walks;
      expect(walk?.steps.every(({ outcome }) => outcome === 'passed' || outcome === 'skipped')).toBe(true);
      expect(walk?.certificate).toMatchObject({ problem: null, protocol: 'TLSv1.3' });
      expect(walk?.capabilities.offered).toContain('AUTH PLAIN LOGIN');
    },
  );

  test('keywords before and after STARTTLS are told apart', async () => {
    await using provider = await providerForTests();
    const { examination } = await visit(provider.environment('starttls'));
    const [walk] = examination.walks;
    expect(walk?.capabilities.beforeTls).toContain('STARTTLS');
    expect(walk?.capabilities.beforeTls?.join()).not.toContain('AUTH');
    expect(walk?.capabilities.offered).not.toContain('STARTTLS');
  });

  test('LOGIN is used where PLAIN is not offered', async () => {
    await using provider = await providerForTests({ capabilities: { authAfterTls: ['LOGIN'] } });
    expect((await visit(provider.environment())).examination.ok).toBe(true);
    expect(provider.authAttempts.map(({ mechanism }) => mechanism)).toEqual(['LOGIN']);
  });

  test('a route that does not work is mentioned, and mail leaves by the other', async () => {
    await using provider = await providerForTests();
    await provider.shut('implicit');
    const { examination } = await visit(provider.environment());
    expect(examination.ok).toBe(true);
    expect(examination.route).toBe(`smtp-${provider.starttlsPort}`);
    expect(examination.notes.join()).toContain(`smtp-${provider.implicitPort} does not work`);
    expect(provider.authAttempts).toHaveLength(1);
  });

  test('a second provider that works lets mail permission, and the first one is named', async () => {
    await using first = await providerForTests();
    await using second = await providerForTests();
    first.on('auth', '535 5.7.8 Authentication failed');
    const secondary = Object.fromEntries(
      Object.entries(second.environment()).map(([name, value]) => [name.replace('SMTP_', 'SMTP2_'), value]),
    );
    const { SMTP2_FROM_EMAIL: _, ...block } = secondary;
    const { examination } = await visit({ ...first.environment(), ...block });
    expect(examination.ok).toBe(true);
    expect(examination.route).toBe(`smtp2-${second.implicitPort}`);
    expect(examination.notes.join()).toContain('auth-bad-credentials');
  });
});

describe('a provider that refuses', () => {
  test.each<[string, (provider: Provider) => unknown, string, string, string]>([
    [
      'a wrong password',
      (p) => p.users.set(p.user, 'something else'),
      'auth',
      'auth-bad-credentials',
      'SMTP_USER, SMTP_PASSWORD',
    ],
    [
      'an app password required',
      (p) => p.on('auth', '534 5.7.9 Application-specific password required'),
      'auth',
      'auth-app-password',
      'SMTP_USER, SMTP_PASSWORD',
    ],
    [
      'password sign-in switched off',
      (p) =>
        p.on(
          'auth',
          '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.',
        ),
      'auth',
      'auth-basic-disabled',
      'SMTP_USER, SMTP_PASSWORD',
    ],
    [
      'a sender that is not owned',
      (p) => p.on('mail', '553 5.7.1 <mailer@mail.test>: Sender address rejected: not owned by user'),
      'mail',
      'sender-not-owned',
      'SMTP_FROM_EMAIL',
    ],
    [
      'a sender that is not owned, said at RCPT',
      (p) => p.on('rcpt', '553 5.7.1 <mailer@mail.test>: Sender address rejected: not owned by user other'),
      'rcpt',
      'sender-not-owned',
      'SMTP_FROM_EMAIL',
    ],
    [
      'a quota that is used up',
      (p) => p.on('mail', '550 5.4.5 Daily user sending limit exceeded.'),
      'mail',
      'daily-limit',
      'SMTP_MAX_PER_HOUR, SMTP_MAX_PER_DAY',
    ],
    [
      'a greeting that refuses',
      (p) => p.on('greeting', '554 5.7.1 Service unavailable; client host blocked'),
      'greeting',
      'ip-blocklist',
      'SMTP_HOST, SMTP_PORT',
    ],
    [
      'no AUTH offered',
      (p) => Object.assign(p.capabilities, { authAfterTls: [] }),
      'auth',
      'auth-not-advertised',
      'SMTP_USER, SMTP_PASSWORD',
    ],
    [
      'only mechanisms we do not have',
      (p) => Object.assign(p.capabilities, { authAfterTls: ['XOAUTH2'] }),
      'auth',
      'auth-mechanism',
      'SMTP_USER, SMTP_PASSWORD',
    ],
    [
      'STARTTLS that cannot start',
      (p) => p.on('starttls', '454 4.7.0 TLS not available due to local problem'),
      'starttls',
      'starttls-unavailable',
      'SMTP_PORT, SMTP_TLS_MODE',
    ],
  ])('%s', async (_, misbehave, stage, cause, variables) => {
    await using provider = await providerForTests();
    misbehave(provider);
    const mode = stage === 'starttls' ? 'starttls' : 'implicit';
    const environment = oneRoute(provider, mode);
    const seen = await visit(environment);
    expect(seen.firstLine).toMatch(new RegExp(`^FAILED at ${stage}: ${cause}: .*Look at ${variables}\\.$`));
    expect(seen.examination.ok).toBe(false);
    expect(provider.authAttempts.length).toBeLessThanOrEqual(1);
    expect(provider.messages).toEqual([]);
  });

  test.each([
    '452 4.2.2 The mailbox is over quota',
    '550 5.1.1 The email account does not exist',
    '451 4.7.1 Greylisted, come back later',
  ])('a no to our own mailbox alone does not mean that mail cannot leave: %s', async (reply) => {
    await using provider = await providerForTests();
    provider.on('rcpt', reply);
    const { examination } = await visit(provider.environment());
    expect(examination).toMatchObject({ ok: true, diagnosis: null });
    expect(examination.notes.join()).toContain(`would not take a mail to ${provider.user}`);
    expect(examination.notes.join()).toContain(reply);
    expect(examination.walks[0]?.steps.map(({ stage, outcome }) => `${stage} ${outcome}`).slice(-2)).toEqual([
      'mail passed',
      'rcpt skipped',
    ]);
  });

  test('a password that the server repeats is blacked out', async () => {
    await using provider = await providerForTests();
    provider.on('auth', ({ command }) => `535 5.7.8 no: ${command} ${password}`);
    const { examination } = await visit(provider.environment());
    expect(examination.diagnosis?.reply).toBe('535 5.7.8 no: AUTH PLAIN *** ***');
  });

  test('stages after the first that failed are not reached', async () => {
    await using provider = await providerForTests();
    provider.on('mail', '553 5.7.1 Sender address rejected: not owned by user');
    const { examination } = await visit(provider.environment());
    expect(examination.walks[0]?.steps.map(({ stage, outcome }) => `${stage} ${outcome}`).slice(-3)).toEqual([
      'auth passed',
      'mail failed',
      'rcpt not reached',
    ]);
  });
});

describe('TLS', () => {
  const day = 86_400_000;
  test.each(['implicit', 'starttls'] as const)('certificates on the %s port', async (mode) => {
    await using provider = await providerForTests();
    const environment = oneRoute(provider, mode);
    const stage = mode === 'implicit' ? 'tls' : 'starttls';

    await provider.present({
      notBefore: new Date(Date.now() - 9 * day),
      notAfter: new Date(Date.now() - day),
    });
    expect((await visit(environment)).firstLine).toMatch(
      new RegExp(`^FAILED at ${stage}: tls-expired: .*SMTP_HOST\\.$`),
    );
    await provider.present({ names: ['other.example.net'] });
    const wrongName = await visit(environment);
    expect(wrongName.firstLine).toMatch(
      new RegExp(`^FAILED at ${stage}: tls-hostname-mismatch: .*SMTP_HOST\\.$`),
    );
    expect(wrongName.output).toContain('The certificate is for DNS:other.example.net');
    await provider.present({ selfSigned: true });
    expect((await visit(environment)).firstLine).toMatch(
      new RegExp(`^FAILED at ${stage}: tls-untrusted: .*SMTP_HOST, SMTP_CA_FILE\\.$`),
    );
    expect(provider.authAttempts).toEqual([]);
  });

  test('STARTTLS that was stripped is never worked around', async () => {
    await using provider = await providerForTests({
      capabilities: { startTls: false, authBeforeTls: ['PLAIN', 'LOGIN'] },
    });
    const seen = await visit(oneRoute(provider, 'starttls'));
    expect(seen.firstLine).toMatch(/^FAILED at starttls: starttls-stripped: .*SMTP_PORT, SMTP_TLS_MODE\.$/);
    expect(provider.authAttempts).toEqual([]);
  });

  test('a plain server on the TLS port is named', async () => {
    await using stranger = await plainOnTlsPort();
    const { firstLine, examination } = await named({
      SMTP_PORT: String(stranger.port),
      SMTP_TLS_MODE: 'implicit',
    });
    expect(firstLine).toMatch(/^FAILED at tls: port-tls-mismatch: .*SMTP_PORT, SMTP_TLS_MODE\.$/);
    expect(examination.diagnosis?.because).toContain('speaks unencrypted SMTP first');
  });

  test('a TLS server on the STARTTLS port is named without waiting for its greeting', async () => {
    await using provider = await providerForTests();
    const { firstLine, examination } = await named({
      ...provider.environment('implicit'),
      SMTP_TLS_MODE: 'starttls',
      SMTP_FAILOVER_PORT: undefined,
    });
    expect(firstLine).toMatch(/^FAILED at greeting: port-tls-mismatch: .*SMTP_PORT, SMTP_TLS_MODE\.$/);
    expect(examination.ms).toBeLessThan(7_000);
  });
});

function named(environment: Variables): Promise<Advice> {
  return visit({ ...wellSet, ...environment });
}

describe('somebody else on the port', () => {
  test.each([
    ['IMAP', imapServer, 'implicit', 'tls: wrong-service'],
    ['IMAP', imapServer, 'starttls', 'greeting: wrong-service'],
    ['HTTP', httpServer, 'implicit', 'tls: http-on-smtp'],
    ['HTTP', httpServer, 'starttls', 'greeting: http-on-smtp'],
  ] as const)('%s', async (protocol, start, mode, expected) => {
    await using stranger = await start();
    const { firstLine, examination } = await named({ SMTP_PORT: String(stranger.port), SMTP_TLS_MODE: mode });
    expect(firstLine).toContain(`FAILED at ${expected}: `);
    expect(firstLine).toMatch(/Look at SMTP_HOST, SMTP_PORT\.$/);
    expect(examination.diagnosis?.because).toContain(`speaks ${protocol}`);
  });

  test('somebody who hangs up at once', async () => {
    await using stranger = await slammingServer();
    const { firstLine } = await named({ SMTP_PORT: String(stranger.port), SMTP_TLS_MODE: 'starttls' });
    expect(firstLine).toMatch(/^FAILED at greeting: greeting-closed: /);
  });

  test('somebody who never says a word, in less than 15 seconds', async () => {
    await using stranger = await silentServer();
    const seen = await visit({ ...wellSet, SMTP_PORT: String(stranger.port), SMTP_TLS_MODE: 'starttls' });
    expect(seen.examination.diagnosis).toMatchObject({ stage: 'greeting', cause: 'greeting-timeout' });
    expect(seen.examination.ms).toBeLessThan(15_000);
  });

  test('a server that greets late is waited for', async () => {
    await using provider = await providerForTests();
    provider.on('greeting', delay(4_000));
    const seen = await visit(oneRoute(provider, 'starttls'));
    expect(seen.firstLine).toMatch(/^OK: mail can leave/);
  });
});

describe('nobody to be reached', () => {
  test('a closed port on this machine', async () => {
    const { firstLine } = await named({ SMTP_PORT: String(await freePort()), SMTP_TLS_MODE: 'implicit' });
    expect(firstLine).toMatch(/^FAILED at tcp: wrong-host: .*Look at SMTP_HOST, SMTP_PORT\.$/);
  });

  test('packets are dropped for other mail servers as well, the web answers: the platform blocks SMTP', async () => {
    await using target = await blackHole();
    await using elsewhere = await blackHole();
    await using web = await silentServer();
    const seen = await compared(target.port, elsewhere.port, web.port);
    expect(seen.firstLine).toMatch(/^FAILED at tcp: cloud-port-block: .*Look at SMTP_HOST, SMTP_PORT\.$/);
    expect(seen.output).toContain('this platform blocks outgoing SMTP');
  });

  test('packets are dropped for this provider only', async () => {
    await using target = await blackHole();
    await using elsewhere = await silentServer();
    await using web = await silentServer();
    const seen = await compared(target.port, elsewhere.port, web.port);
    expect(seen.firstLine).toMatch(/^FAILED at tcp: provider-unreachable: /);
  });

  test('packets are dropped for everybody: there is no network', async () => {
    await using hole = await blackHole();
    const seen = await compared(hole.port, hole.port, hole.port);
    expect(seen.firstLine).toMatch(/^FAILED at tcp: network: /);
    expect(seen.output).toMatch(/\n0 AUTH sent;/);
  });

  function compared(target: number, smtp: number, web: number) {
    return visit(
      { ...wellSet, SMTP_PORT: String(target), SMTP_TLS_MODE: 'implicit' },
      { smtp: { host: '127.0.0.1', ports: [smtp] }, web: { host: '127.0.0.1', port: web } },
    );
  }
});
