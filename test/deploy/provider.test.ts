import { describe, expect, test } from 'vitest';
import { readRelayEnvironment } from '../../deploy/environment.ts';

const complete = {
  DATABASE_URL: 'postgres://postern:invented@db.internal/postern',
  RELAY_PASSWORD: 'an-invented-relay-password',
  SMTP_HOST: 'smtp.provider.test',
  SMTP_USER: 'mail@acme.test',
  SMTP_PASSWORD: 'an invented password',
  SMTP_FROM_EMAIL: 'noreply@acme.test',
};

const withoutLogin = { SMTP_USER: '', SMTP_PASSWORD: '' };

function read(changes: Record<string, string>) {
  return readRelayEnvironment({ ...complete, ...changes });
}

function routesOf(changes: Record<string, string>) {
  return read(changes).providers[0]?.routes.map(({ port, tlsMode }) => `${port} ${tlsMode}`);
}

describe('routes', () => {
  test.each([
    ['465 by default, with 587 behind it', {}, ['465 implicit', '587 starttls']],
    ['587 the other way round', { SMTP_PORT: '587' }, ['587 starttls', '465 implicit']],
    [
      'familiar switches for 587',
      { SMTP_PORT: '587', SMTP_USE_TLS: 'true', SMTP_SECURE: 'false' },
      ['587 starttls', '465 implicit'],
    ],
    ['familiar switch for 465', { SMTP_SECURE: 'true' }, ['465 implicit', '587 starttls']],
    ['other familiar switch for 465', { SMTP_USE_TLS: 'false' }, ['465 implicit', '587 starttls']],
    ['no failover when it is off', { SMTP_FAILOVER: 'off' }, ['465 implicit']],
    ['a port of its own has no failover', { SMTP_PORT: '2525' }, ['2525 starttls']],
    ['a port of its own with TLS at once', { SMTP_PORT: '2465', SMTP_SECURE: 'true' }, ['2465 implicit']],
    [
      'a chosen failover port',
      { SMTP_PORT: '2465', SMTP_TLS_MODE: 'implicit', SMTP_FAILOVER_PORT: '2587' },
      ['2465 implicit', '2587 starttls'],
    ],
    [
      'a chosen failover mode',
      { SMTP_FAILOVER_PORT: '2465', SMTP_FAILOVER_TLS_MODE: 'implicit' },
      ['465 implicit', '2465 implicit'],
    ],
    ['no TLS and no login', { ...withoutLogin, SMTP_PORT: '25', SMTP_TLS_MODE: 'none' }, ['25 none']],
  ])('%s', (_, changes, expected) => {
    const environment = read(changes);
    expect(environment.problems).toEqual([]);
    expect(routesOf(changes)).toEqual(expected);
  });

  test('a second provider follows the first with its own routes and limits', () => {
    const { providers, problems } = read({
      SMTP2_HOST: 'smtp.other.test',
      SMTP2_PORT: '587',
      SMTP2_USER: 'apikey',
      SMTP2_PASS: 'another invented password',
      SMTP2_MAX_PER_HOUR: '100',
      SMTP2_ALLOWED_SENDERS: '*@acme.test, billing@shop.test',
    });
    expect(problems).toEqual([]);
    expect(providers.map(({ name, routes }) => [name, ...routes.map((route) => route.name)])).toEqual([
      ['SMTP', 'smtp-465', 'smtp-587'],
      ['SMTP2', 'smtp2-587', 'smtp2-465'],
    ]);
    expect(providers[1]).toMatchObject({
      host: 'smtp.other.test',
      user: 'apikey',
      maxPerHour: 100,
      allowedSenders: ['*@acme.test', 'billing@shop.test'],
    });
  });

  test('a second provider that is half there is named and does not disturb the first', () => {
    const { providers, problems, missing } = read({ SMTP2_HOST: 'smtp.other.test' });
    expect(providers.map(({ name }) => name)).toEqual(['SMTP']);
    expect(missing).toEqual([]);
    expect(problems.map(({ variable, cause }) => `${variable} ${cause}`)).toEqual([
      'SMTP2_USER env-missing',
      'SMTP2_PASSWORD env-missing',
    ]);
  });
});

describe('a problem keeps the provider out', () => {
  test.each([
    ['SMTP_HOST', 'env-scheme-in-host', { SMTP_HOST: 'smtp://smtp.provider.test' }],
    ['SMTP_HOST', 'env-host-garbage', { SMTP_HOST: 'smtp.provider.test:465' }],
    ['SMTP_HOST', 'env-host-garbage', { SMTP_HOST: 'mail@acme.test' }],
    ['SMTP_HOST', 'env-host-garbage', { SMTP_HOST: 'smtp.provider test' }],
    ['SMTP_HOST', 'env-interpolated', { SMTP_HOST: '$SMTP_SERVER' }],
    ['SMTP_HOST', 'env-interpolated', { SMTP_HOST: '{{environment.SMTP_HOST}}' }],
    ['SMTP_HOST', 'env-quoted', { SMTP_HOST: '"smtp.provider.test' }],
    ['SMTP_HOST', 'env-placeholder', { SMTP_HOST: 'smtp.example.com' }],
    ['SMTP_HOST', 'env-placeholder', { SMTP_HOST: '<your smtp host>' }],
    ['SMTP_HOST', 'env-loop', { SMTP_HOST: 'Relay.', SMTP_PORT: '2525' }],
    ['SMTP_HOST', 'env-loop', { SMTP_HOST: '127.0.0.1', SMTP_PORT: '2526', RELAY_PORT: '2526' }],
    ['SMTP_PORT', 'env-port-garbage', { SMTP_PORT: '0' }],
    ['SMTP_PORT', 'env-port-garbage', { SMTP_PORT: '465 (SSL)' }],
    ['SMTP_PASSWORD', 'env-quoted', { SMTP_PASSWORD: "'pass word'" }],
    ['SMTP_PASSWORD', 'env-newline', { SMTP_PASSWORD: 'password\n' }],
    ['SMTP_PASSWORD', 'env-trailing-char', { SMTP_PASSWORD: 'password ' }],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a platform leaves behind
    ['SMTP_PASSWORD', 'env-interpolated', { SMTP_PASSWORD: '${SMTP_SECRET}' }],
    ['SMTP_PASSWORD', 'env-placeholder', { SMTP_PASSWORD: 'your-password' }],
    ['SMTP_SECURE', 'env-tls-contradiction', { SMTP_PORT: '587', SMTP_SECURE: 'true' }],
    ['SMTP_SECURE', 'env-tls-contradiction', { SMTP_PORT: '465', SMTP_SECURE: 'false' }],
    ['SMTP_SECURE', 'env-value-garbage', { SMTP_SECURE: 'yes' }],
    ['SMTP_USE_TLS', 'env-tls-contradiction', { SMTP_PORT: '465', SMTP_USE_TLS: 'true' }],
    ['SMTP_USE_TLS', 'env-tls-contradiction', { SMTP_PORT: '587', SMTP_USE_TLS: 'false' }],
    ['SMTP_TLS_MODE', 'env-cleartext-password', { SMTP_TLS_MODE: 'none', SMTP_PORT: '25' }],
    ['SMTP_FAILOVER_TLS_MODE', 'env-cleartext-password', { SMTP_FAILOVER_TLS_MODE: 'none' }],
    [
      'SMTP_FAILOVER_PORT',
      'env-failover-contradiction',
      { SMTP_FAILOVER: 'off', SMTP_FAILOVER_PORT: '2525' },
    ],
    ['SMTP_FAILOVER_PORT', 'env-failover-contradiction', { SMTP_FAILOVER_PORT: '465' }],
    ['SMTP_MAX_PER_DAY', 'env-value-garbage', { SMTP_MAX_PER_DAY: 'many' }],
    ['SMTP_ALLOWED_SENDERS', 'env-value-garbage', { SMTP_ALLOWED_SENDERS: 'acme.test' }],
    ['SMTP_FROM_EMAIL', 'env-value-garbage', { SMTP_FROM_EMAIL: 'noreply' }],
  ])('%s: %s in %j', (variable, cause, changes) => {
    const { providers, problems } = read(changes);
    expect(providers).toEqual([]);
    expect(problems.filter(({ severity }) => severity === 'problem')).toMatchObject([{ variable, cause }]);
  });
});

describe('a warning changes nothing', () => {
  test.each([
    ['SMTP_HOST', 'env-localhost', { SMTP_HOST: 'localhost' }],
    ['SMTP_HOST', 'wrong-service-host', { SMTP_HOST: 'imap.provider.test' }],
    ['SMTP_HOST', 'wrong-service-host', { SMTP_HOST: 'webmail.provider.test' }],
    ['SMTP_PASSWORD', 'env-trailing-char', { SMTP_PASSWORD: 'password;' }],
    ['SMTP_PASSWORD', 'env-interpolated', { SMTP_PASSWORD: 'pass$$word' }],
    ['SMTP_PASSWORD', 'env-escaped', { SMTP_PASSWORD: 'pass\\"word' }],
    ['SMTP_PASSWORD', 'env-url-encoding', { SMTP_PASSWORD: 'p%40ssword' }],
    ['SMTP_TLS_MODE', 'env-tls-contradiction', { SMTP_PORT: '587', SMTP_TLS_MODE: 'implicit' }],
    ['SMTP_FROM_EMAIL', 'env-from-mismatch', { SMTP_FROM_EMAIL: 'noreply@other.test' }],
    ['SMTP_FROM_EMAIL', 'env-placeholder', { SMTP_FROM_EMAIL: 'noreply@example.com', SMTP_USER: 'apikey' }],
  ])('%s: %s in %j', (variable, cause, changes) => {
    const given = { ...complete, ...changes };
    const { providers, problems } = readRelayEnvironment(given);
    expect(problems).toMatchObject([{ variable, cause, severity: 'warning' }]);
    expect(providers).toMatchObject([{ host: given.SMTP_HOST, password: given.SMTP_PASSWORD }]);
  });
});
