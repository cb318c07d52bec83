import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { envExample } from '../../deploy/env-example.ts';
import {
  EnvironmentError,
  fingerprint,
  fingerprintCommand,
  readApiEnvironment,
  readMigrateEnvironment,
  readRelayEnvironment,
  readWorkerEnvironment,
  scrubEnvironment,
  shapeOf,
  type VariableName,
} from '../../deploy/environment.ts';
import { spellings } from '../../deploy/reading.ts';
import { type Reader, variableTable } from '../../deploy/variables.ts';

const process_ = {
  DATABASE_URL: 'postgres://postern:invented@db.internal:5432/postern',
  RELAY_PASSWORD: 'an-invented-relay-password',
  API_KEY: 'an-invented-api-key',
  PUBLIC_URL: 'https://app.example.com',
};

const provider = {
  SMTP_HOST: 'smtp.provider.test',
  SMTP_USER: 'mail@acme.test',
  SMTP_PASSWORD: 'an invented password',
  SMTP_FROM_EMAIL: 'noreply@acme.test',
};

const readers = {
  api: readApiEnvironment,
  relay: readRelayEnvironment,
  worker: readWorkerEnvironment,
  migrate: readMigrateEnvironment,
} satisfies Record<Reader, unknown>;

const folder = mkdtempSync(join(tmpdir(), 'postern-environment-'));
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(read: () => unknown) {
  try {
    read();
  } catch (error) {
    if (error instanceof EnvironmentError) return error.problems;
    throw error;
  }
  return [];
}

function relay(changes: Record<string, string | undefined>) {
  return readRelayEnvironment({ ...process_, ...provider, ...changes });
}

describe('what a process needs for itself', () => {
  test('every problem is told at once, one a line, and without the values', () => {
    const source = {
      DATABASE_URL: 'mysql://root:hunter2@db/x',
      API_PORT: 'http',
      LOG_LEVEL: 'loud',
      API_KEY: ' ',
    };
    const problems = problemsOf(() => readApiEnvironment(source));
    expect(problems.map(({ variable }) => variable).sort()).toEqual([
      'API_KEY',
      'API_PORT',
      'DATABASE_URL',
      'LOG_LEVEL',
      'PUBLIC_URL',
      'RELAY_PASSWORD',
    ]);
    const { message } = new EnvironmentError(problems);
    expect(message.split('\n')).toHaveLength(1 + problems.length);
    for (const value of ['hunter2', 'http (', 'loud']) expect(message).not.toContain(value);
  });

  test.each([
    ['api', ['API_KEY', 'DATABASE_URL', 'PUBLIC_URL', 'RELAY_PASSWORD']],
    ['relay', ['DATABASE_URL', 'RELAY_PASSWORD']],
    ['worker', ['DATABASE_URL', 'RELAY_PASSWORD']],
    ['migrate', ['DATABASE_URL']],
  ] as const)('the %s does not start without what it requires', (process, required) => {
    const problems = problemsOf(() => readers[process]({}));
    expect(problems.map(({ variable }) => variable).sort()).toEqual(required);
    expect(problems.every(({ cause }) => cause === 'env-missing')).toBe(true);
  });

  test('the defaults are those of the contract', () => {
    expect(readApiEnvironment(process_)).toMatchObject({
      logLevel: 'info',
      logAddresses: 'masked',
      apiPort: 3000,
      apiBind: '0.0.0.0',
      relayHost: 'relay',
      relayPort: 2525,
      relayUser: 'postern',
      trustedProxies: [],
      corsOrigins: [],
    });
    expect(readRelayEnvironment(process_)).toMatchObject({
      relayBind: '0.0.0.0',
      relayMaxMessageSize: 26214400,
      healthPort: 9101,
      smtpMaxConnections: 5,
      smtpTimeoutSeconds: 30,
      deliveryMode: 'deliver',
      uncertainPolicy: 'resend',
      queueLifetimeSeconds: 3 * 24 * 3600,
      retryScheduleSeconds: [15, 60, 120, 300, 600, 1200, 2400, 3600],
    });
    expect(readWorkerEnvironment(process_)).toMatchObject({
      healthPort: 9102,
      workerConcurrency: 10,
      workerPollIntervalMs: 30_000,
      retentionBodySeconds: 7 * 24 * 3600,
      retentionRowsSeconds: 90 * 24 * 3600,
    });
  });

  test('an optional setting that is not set is not there at all', () => {
    expect(readApiEnvironment(process_)).not.toHaveProperty('adminPassword');
    expect(readRelayEnvironment(process_)).not.toHaveProperty('relayTls');
  });

  test.each([
    ['API_PORT', 'api', '65536', 'env-port-garbage'],
    ['API_PORT', 'api', '3e3', 'env-port-garbage'],
    ['API_BIND', 'api', '10.1', 'env-host-garbage'],
    ['API_KEY', 'api', 'change-me', 'env-placeholder'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a platform leaves behind
    ['API_KEY', 'api', '${API_KEY}', 'env-interpolated'],
    ['RELAY_PASSWORD', 'worker', 'set me in the platform', 'env-placeholder'],
    ['PUBLIC_URL', 'api', 'app.example.com', 'env-value-garbage'],
    ['PUBLIC_URL', 'api', '"https://app.example.com"', 'env-quoted'],
    ['DATABASE_URL', 'migrate', 'postgres://u:a#b@db/x', 'env-url-encoding'],
    ['DATABASE_URL', 'migrate', 'postgres://u:p@db/x;', 'env-trailing-char'],
    ['TRUSTED_PROXIES', 'api', '10.0.0.0/8, everybody', 'env-value-garbage'],
    ['CORS_ORIGINS', 'api', 'https://app.example.com/', 'env-value-garbage'],
    ['RELAY_USERS', 'relay', 'crm', 'env-value-garbage'],
    ['RELAY_USERS', 'relay', 'crm:one,crm:two', 'env-value-garbage'],
    ['RELAY_USERS', 'relay', 'postern:one', 'env-value-garbage'],
    ['RELAY_TRUSTED_NETWORKS', 'relay', '10.0.0.0/33', 'env-value-garbage'],
    ['RELAY_TRUSTED_NETWORKS', 'relay', '10.0.0.1', 'env-value-garbage'],
    ['RELAY_MAX_MESSAGE_SIZE', 'relay', '25MB', 'env-value-garbage'],
    ['DELIVERY_MODE', 'relay', 'Capture', 'env-value-garbage'],
    ['UNCERTAIN_POLICY', 'relay', 'ignore', 'env-value-garbage'],
    ['QUEUE_LIFETIME', 'relay', '3', 'env-value-garbage'],
    ['RETRY_SCHEDULE', 'relay', '15s,,1m', 'env-value-garbage'],
    ['ALERT_WEBHOOK_URL', 'relay', 'http://alerts.example.com/x', 'env-value-garbage'],
    ['ALERT_WEBHOOK_SECRET', 'relay', 'whsec_tooshort', 'env-value-garbage'],
    ['ALERT_WEBHOOK_SECRET', 'relay', 'a secret with blanks that is long enough', 'env-value-garbage'],
    ['WORKER_CONCURRENCY', 'worker', '0', 'env-value-garbage'],
  ] as const)('%s of the %s refuses %s', (variable, process, value, cause) => {
    expect(problemsOf(() => readers[process]({ ...process_, [variable]: value }))).toMatchObject([
      { variable, cause, severity: 'problem' },
    ]);
  });

  test('lists may have a blank after the comma', () => {
    const environment = readRelayEnvironment({
      ...process_,
      RELAY_USERS: 'crm:a:b, shop:c',
      RELAY_TRUSTED_NETWORKS: '10.0.0.0/8, fd00::/8',
    });
    expect(environment.relayUsers).toEqual([
      { name: 'crm', password: 'a:b' },
      { name: 'shop', password: 'c' },
    ]);
    expect(environment.relayTrustedNetworks).toEqual(['10.0.0.0/8', 'fd00::/8']);
  });

  test('a certificate without its key is a problem, and the other way round', () => {
    const certOnly = problemsOf(() =>
      readRelayEnvironment({ ...process_, RELAY_TLS_CERT_FILE: '/tls/cert.pem' }),
    );
    const keyOnly = problemsOf(() =>
      readRelayEnvironment({ ...process_, RELAY_TLS_KEY_FILE: '/tls/key.pem' }),
    );
    expect(certOnly).toMatchObject([{ variable: 'RELAY_TLS_KEY_FILE' }]);
    expect(keyOnly).toMatchObject([{ variable: 'RELAY_TLS_CERT_FILE' }]);
  });

  test('allowlist mode needs its list', () => {
    const problems = problemsOf(() => readRelayEnvironment({ ...process_, DELIVERY_MODE: 'allowlist' }));
    expect(problems).toMatchObject([{ variable: 'DELIVERY_ALLOWLIST', cause: 'env-missing' }]);
  });
});

describe('secrets', () => {
  test('a secret may come as a file, whose last line end is not part of it', () => {
    const file = join(folder, 'password');
    writeFileSync(file, ' pass"word$ \n');
    const environment = relay({ SMTP_PASSWORD: undefined, SMTP_PASSWORD_FILE: file });
    expect(environment.providers[0]?.password).toBe(' pass"word$ ');
  });

  test('a secret may come as base64, and then keeps quotes and spaces', () => {
    const encoded = Buffer.from('"ünd; $x "').toString('base64');
    const environment = relay({ SMTP_PASSWORD: undefined, SMTP_PASS_BASE64: encoded });
    expect(environment.providers[0]?.password).toBe('"ünd; $x "');
    expect(environment.problems).toEqual([]);
  });

  test.each([
    ['two forms at once', { API_KEY: 'one', API_KEY_BASE64: 'dHdv' }, 'API_KEY_BASE64', 'env-two-sources'],
    [
      'a file that does not exist',
      { API_KEY: '', API_KEY_FILE: '/nowhere/key' },
      'API_KEY_FILE',
      'env-file-unreadable',
    ],
    [
      'what is not base64',
      { API_KEY: '', API_KEY_BASE64: 'not base64!' },
      'API_KEY_BASE64',
      'env-base64-garbage',
    ],
    ['base64 and a comma', { API_KEY: '', API_KEY_BASE64: 'a2V5,' }, 'API_KEY_BASE64', 'env-base64-garbage'],
    ['base64 of bytes', { API_KEY: '', API_KEY_BASE64: '/w==' }, 'API_KEY_BASE64', 'env-base64-garbage'],
    ['base64 of echo', { API_KEY: '', API_KEY_BASE64: 'a2V5Cg==' }, 'API_KEY_BASE64', 'env-newline'],
  ])('%s is a problem', (_, changes, variable, cause) => {
    expect(problemsOf(() => readApiEnvironment({ ...process_, ...changes }))).toMatchObject([
      { variable, cause },
    ]);
  });

  test('what is not secret does not come as a file', () => {
    expect(readApiEnvironment({ ...process_, API_PORT_FILE: '/nowhere' }).apiPort).toBe(3000);
  });

  test('two spellings may agree but not disagree', () => {
    expect(relay({ SMTP_PASS: provider.SMTP_PASSWORD }).problems).toEqual([]);
    const disagreeing = relay({ SMTP_PASS: 'another one' });
    expect(disagreeing.providers).toEqual([]);
    expect(disagreeing.problems).toMatchObject([{ variable: 'SMTP_PASS', cause: 'env-alias-conflict' }]);
  });

  test('the printed command computes the fingerprint elsewhere', () => {
    const output = execFileSync('sh', ['-c', fingerprintCommand()], {
      input: "it's a $secret\n",
      encoding: 'utf8',
    });
    expect(output.trim()).toBe(fingerprint("it's a $secret"));
    expect(output.trim()).toMatch(/^[0-9a-f]{4}$/);
  });

  test('a shape reveals length and ends, and a fingerprint only for secrets', () => {
    expect(shapeOf('"hunter2;', { secret: true })).toBe(
      `9 characters, from a quote to ;, fingerprint ${fingerprint('"hunter2;')}`,
    );
    expect(shapeOf('465')).toBe('3 characters, from a digit to a digit');
  });

  test.each(['api', 'worker', 'relay'] as const)(
    'the %s keeps only the secrets it has business with',
    (process) => {
      const everything = Object.entries(variableTable).flatMap(([name, variable]) =>
        spellings(name, variable).map(({ setAs }) => setAs),
      );
      const environment: Record<string, string | undefined> = Object.fromEntries(
        [...everything, 'PATH'].map((name) => [name, 'x']),
      );
      scrubEnvironment(environment, process);
      const hasProviderPassword = Object.keys(environment).some((name) => /^SMTP2?_PASS/.test(name));
      expect(hasProviderPassword).toBe(process === 'relay');
      expect('API_KEY_FILE' in environment).toBe(process === 'api');
      expect(environment).toMatchObject({ PATH: 'x', RELAY_PASSWORD: 'x', SMTP_HOST: 'x' });
    },
  );
});

describe('the provider never ends the relay', () => {
  test('without any of it, all required names are missing, in the order of the contract', () => {
    const environment = readRelayEnvironment(process_);
    expect(environment.missing).toEqual(['SMTP_HOST', 'SMTP_USER', 'SMTP_PASSWORD', 'SMTP_FROM_EMAIL']);
    expect(environment.providers).toEqual([]);
  });

  test('without TLS no login is required', () => {
    const environment = readRelayEnvironment({ ...process_, SMTP_TLS_MODE: 'none' });
    expect(environment.missing).toEqual(['SMTP_HOST', 'SMTP_FROM_EMAIL']);
  });

  test('what is set but blank is missing, and said to be blank', () => {
    const environment = relay({ SMTP_PASSWORD: '', SMTP_FROM_EMAIL: '  ' });
    expect(environment.missing).toEqual(['SMTP_PASSWORD', 'SMTP_FROM_EMAIL']);
    expect(environment.problems).toMatchObject([
      { variable: 'SMTP_PASSWORD', cause: 'env-blank', shape: 'set, but empty' },
      { variable: 'SMTP_FROM_EMAIL', cause: 'env-blank', shape: 'set, but blank: 2 characters' },
    ]);
    expect(environment.providers).toEqual([]);
  });

  test('a complete provider has both routes, credential and default sender', () => {
    const environment = relay({ SMTP_FROM_NAME: 'Acme' });
    expect(environment).toMatchObject({
      missing: [],
      problems: [],
      from: { email: 'noreply@acme.test', name: 'Acme' },
    });
    expect(environment.providers).toEqual([
      {
        name: 'SMTP',
        host: 'smtp.provider.test',
        user: 'mail@acme.test',
        password: 'an invented password',
        fingerprint: fingerprint('an invented password'),
        routes: [
          { name: 'smtp-465', host: 'smtp.provider.test', port: 465, tlsMode: 'implicit' },
          { name: 'smtp-587', host: 'smtp.provider.test', port: 587, tlsMode: 'starttls' },
        ],
        timeoutSeconds: 30,
        maxConnections: 5,
        allowedSenders: ['noreply@acme.test'],
      },
    ]);
  });

  test('the api reports a mangled sender instead of refusing to start', () => {
    const environment = readApiEnvironment({ ...process_, SMTP_FROM: 'Acme <noreply@acme.test>' });
    expect(environment.from).toBeUndefined();
    expect(environment.problems).toMatchObject([{ variable: 'SMTP_FROM', cause: 'env-value-garbage' }]);
  });

  test('every process can say which of the provider variables it sees', () => {
    const environment = readApiEnvironment({ ...process_, ...provider, SMTP_PORT: ' ' });
    expect(environment.providerVariables).toEqual([
      'SMTP_HOST',
      'SMTP_USER',
      'SMTP_PASSWORD',
      'SMTP_FROM_EMAIL',
    ]);
  });
});

const text = fc.string({ unit: 'binary', maxLength: 30 });
const blank = fc.stringMatching(/^[ \t\r\n]{0,4}$/);

describe('for any value', () => {
  const cases = Object.entries(variableTable).flatMap(([name, variable]) =>
    variable.readBy.map((process) => [name as VariableName, process] as const),
  );

  test.each(cases)('a blank %s means the same to the %s as none', (name, process) => {
    const without: Record<string, string> = { ...process_, ...provider };
    delete without[name];
    const outcome = (source: Record<string, string>) => {
      try {
        const { problems: _, ...settings } = { problems: [], ...readers[process](source) };
        return settings;
      } catch (error) {
        return (error as EnvironmentError).problems.map(({ variable }) => variable);
      }
    };
    fc.assert(
      fc.property(blank, (value) => {
        expect(outcome({ ...without, [name]: value })).toEqual(outcome(without));
      }),
      { numRuns: 10 },
    );
  });

  // What surrounds a value on its way: none of it may disappear silently.
  const wrappings: [string, string][] = [
    ['"', '"'],
    ["'", "'"],
    ['', ';'],
    ['', ','],
    ['', '\n'],
    [' ', ''],
    ['', ' '],
    ['${', '}'],
    ['smtp://', ''],
  ];
  const valid = fc.constantFrom<[VariableName, string]>(
    ['SMTP_HOST', 'smtp.provider.test'],
    ['SMTP_PORT', '587'],
    ['SMTP_USER', 'mail@acme.test'],
    ['SMTP_TLS_MODE', 'auto'],
    ['SMTP_FAILOVER', 'off'],
    ['SMTP_FROM_EMAIL', 'noreply@acme.test'],
    ['SMTP_MAX_CONNECTIONS', '3'],
    ['SMTP_ALLOWED_SENDERS', '*@acme.test'],
  );

  test('a mangled provider setting is named and mail is held: nothing is repaired, nothing falls back', () => {
    fc.assert(
      fc.property(valid, fc.constantFrom(...wrappings), ([name, value], [before, after]) => {
        fc.pre(name !== 'SMTP_USER' || before !== 'smtp://');
        const environment = relay({ [name]: `${before}${value}${after}` });
        expect(environment.providers).toEqual([]);
        expect(environment.problems).toContainEqual(
          expect.objectContaining({ variable: name, severity: 'problem' }),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('a password is used exactly as it came or not at all', () => {
    fc.assert(
      fc.property(text, (password) => {
        const { providers, problems } = relay({ SMTP_PASSWORD: password });
        const isRefused = problems.some(({ severity }) => severity === 'problem');
        expect(providers[0]?.password).toBe(isRefused ? undefined : password);
        for (const { shape, problem, fix } of problems) {
          if (password.length > 8) expect(`${shape} ${problem} ${fix}`).not.toContain(password);
        }
      }),
      // Each new password costs one scrypt.
      { numRuns: 40 },
    );
  });

  test('the relay survives any provider block', () => {
    const names = Object.keys(variableTable).filter(
      (name) => name.startsWith('SMTP') && !name.includes('PASS'),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), text), (block) => {
        expect(() => readRelayEnvironment({ ...process_, ...block })).not.toThrow();
      }),
    );
  });
});

test('.env.example agrees with the table (regenerate it with: node deploy/env-example.ts)', () => {
  const committed = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
  expect(committed).toBe(envExample());
  for (const name of Object.keys(variableTable))
    expect(committed).toMatch(new RegExp(`^(?:# )?${name}=`, 'm'));
});
