import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRelayEnvironment } from '../../deploy/environment.ts';
import { createAuthority, createClientCertificate } from '../kit/certificate.ts';

const base = {
  DATABASE_URL: 'postgres://postern:invented@db.internal/postern',
  RELAY_PASSWORD: 'an-invented-relay-password',
  SMTP_HOST: 'smtp.office365.com',
  SMTP_PORT: '587',
  SMTP_USER: 'mail@acme.test',
  SMTP_FROM_EMAIL: 'mail@acme.test',
  SMTP_AUTH: 'oauth2',
};
const microsoft = {
  SMTP_OAUTH2_PROVIDER: 'microsoft',
  SMTP_OAUTH2_TENANT: 'acme.test',
  SMTP_OAUTH2_CLIENT_ID: '00000000-1111-2222-3333-444444444444',
  SMTP_OAUTH2_CLIENT_SECRET: 'an invented client secret',
};
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const account = JSON.stringify(
  { type: 'service_account', client_email: 'sender@project.test', private_key: keyPem, private_key_id: 'k1' },
  null,
  2,
);

const read = (changes: Record<string, string>) => readRelayEnvironment({ ...base, ...changes });
const said = (changes: Record<string, string>) =>
  read(changes).problems.map(({ variable, severity, cause }) => `${severity} ${variable} ${cause}`);

describe('what is missing', () => {
  test.each([
    ['nothing is set', {}, ['SMTP_OAUTH2_PROVIDER', 'SMTP_OAUTH2_CLIENT_ID', 'SMTP_OAUTH2_CLIENT_SECRET']],
    [
      'only Microsoft is named',
      { SMTP_OAUTH2_PROVIDER: 'microsoft' },
      ['SMTP_OAUTH2_TENANT', 'SMTP_OAUTH2_CLIENT_ID', 'SMTP_OAUTH2_CLIENT_SECRET'],
    ],
    [
      'Microsoft with a refresh token',
      { SMTP_OAUTH2_PROVIDER: 'microsoft', SMTP_OAUTH2_REFRESH_TOKEN: 'an invented token' },
      ['SMTP_OAUTH2_CLIENT_ID'],
    ],
    [
      'Google with a client',
      {
        SMTP_OAUTH2_PROVIDER: 'google',
        SMTP_OAUTH2_CLIENT_ID: 'id',
        SMTP_OAUTH2_CLIENT_SECRET: 'an invented secret',
      },
      ['SMTP_OAUTH2_REFRESH_TOKEN'],
    ],
    [
      'Google with a service account',
      { SMTP_OAUTH2_PROVIDER: 'google', SMTP_OAUTH2_SERVICE_ACCOUNT: account },
      [],
    ],
    [
      'an endpoint of its own',
      {
        SMTP_OAUTH2_PROVIDER: 'custom',
        SMTP_OAUTH2_CLIENT_ID: 'id',
        SMTP_OAUTH2_CLIENT_SECRET: 'an invented secret',
      },
      ['SMTP_OAUTH2_TOKEN_URL', 'SMTP_OAUTH2_SCOPE'],
    ],
    [
      'half a certificate',
      { ...microsoft, SMTP_OAUTH2_CLIENT_SECRET: '', SMTP_OAUTH2_CLIENT_KEY_FILE: '/nowhere' },
      ['SMTP_OAUTH2_CLIENT_CERT_FILE'],
    ],
    ['the login', { ...microsoft, SMTP_USER: '' }, ['SMTP_USER']],
    ['nothing', microsoft, []],
  ])('%s', (_, changes, missing) => {
    const environment = read(changes);
    expect(environment.missing).toEqual(missing);
    expect(environment.providers.length).toBe(missing.length === 0 ? 1 : 0);
  });

  test('a second provider has the same block', () => {
    const second = { SMTP2_HOST: 'smtp.gmail.com', SMTP2_USER: 'a@acme.test', SMTP2_AUTH: 'oauth2' };
    expect(said({ ...microsoft, ...second })).toEqual([
      'problem SMTP2_OAUTH2_PROVIDER env-missing',
      'problem SMTP2_OAUTH2_CLIENT_ID env-missing',
      'problem SMTP2_OAUTH2_CLIENT_SECRET env-missing',
    ]);
    const whole = { ...second, SMTP2_OAUTH2_PROVIDER: 'google', SMTP2_OAUTH2_SERVICE_ACCOUNT: account };
    expect(read({ ...microsoft, ...whole }).providers[1]?.oauth2).toMatchObject({
      grant: 'service-account',
      tokenUrl: 'https://oauth2.googleapis.com/token',
      scope: 'https://mail.google.com/',
    });
  });
});

test('contradictions are named together, and nothing is guessed', () => {
  expect(
    said({
      ...microsoft,
      SMTP_PASSWORD: 'a left-over password',
      SMTP_OAUTH2_TENANT: 'common',
      SMTP_OAUTH2_SERVICE_ACCOUNT: account,
      SMTP_OAUTH2_REFRESH_TOKEN: '',
      SMTP_TLS_MODE: 'none',
    }),
  ).toEqual([
    'problem SMTP_OAUTH2_SERVICE_ACCOUNT env-oauth2-contradiction',
    'problem SMTP_OAUTH2_TENANT env-oauth2-contradiction',
    'warning SMTP_PASSWORD env-oauth2-contradiction',
    'problem SMTP_TLS_MODE env-cleartext-password',
  ]);
});

test('settings for OAuth2 without SMTP_AUTH=oauth2 are noticed', () => {
  expect(said({ ...microsoft, SMTP_AUTH: '', SMTP_PASSWORD: 'an invented password' })).toContain(
    'warning SMTP_OAUTH2_PROVIDER env-oauth2-contradiction',
  );
});

test.each([
  ['https://login.example.test/token', true],
  ['http://127.0.0.1:8080/token', true],
  ['http://localhost/token', true],
  ['http://login.example.test/token', false],
  ['http://127.0.0.1.example.test/token', false],
  ['https://user:word@login.example.test/token', false],
  ['ftp://127.0.0.1/token', false],
])('a token URL %s', (url, isTaken) => {
  expect(read({ ...microsoft, SMTP_OAUTH2_TOKEN_URL: url }).providers.length).toBe(isTaken ? 1 : 0);
});

test('a certificate and its key belong together', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-oauth2-'));
  const { cert, key } = await createClientCertificate();
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const files = {
    SMTP_OAUTH2_CLIENT_CERT_FILE: write('cert.pem', String(cert)),
    SMTP_OAUTH2_CLIENT_KEY_FILE: write('key.pem', String(key)),
  };
  const { SMTP_OAUTH2_CLIENT_SECRET: _, ...withoutSecret } = microsoft;
  expect(read({ ...withoutSecret, ...files }).providers[0]?.oauth2?.certificate).toEqual({ cert, key });
  expect(
    said({ ...withoutSecret, ...files, SMTP_OAUTH2_CLIENT_KEY_FILE: write('other.pem', keyPem) }),
  ).toEqual(['problem SMTP_OAUTH2_CLIENT_KEY_FILE env-oauth2-contradiction']);
  const elliptic = await (await createAuthority()).issue();
  expect(
    said({ ...withoutSecret, ...files, SMTP_OAUTH2_CLIENT_KEY_FILE: write('ec.pem', elliptic.key) }),
  ).toEqual(['problem SMTP_OAUTH2_CLIENT_KEY_FILE env-value-garbage']);
  expect(said({ ...withoutSecret, ...files, SMTP_OAUTH2_CLIENT_CERT_FILE: join(folder, 'none') })).toEqual([
    'problem SMTP_OAUTH2_CLIENT_CERT_FILE env-file-unreadable',
  ]);
  expect(said({ ...microsoft, ...files })).toContain(
    'problem SMTP_OAUTH2_CLIENT_CERT_FILE env-oauth2-contradiction',
  );
});

test('the credential is another one when any of its settings changes', () => {
  const of = (changes: Record<string, string>) =>
    read({ ...microsoft, ...changes }).providers[0]?.fingerprint;
  const others = [
    { SMTP_OAUTH2_TENANT: 'other.test' },
    { SMTP_OAUTH2_CLIENT_ID: 'other' },
    { SMTP_OAUTH2_CLIENT_SECRET: 'another invented secret' },
    { SMTP_OAUTH2_SCOPE: 'other' },
    { SMTP_OAUTH2_REFRESH_TOKEN: 'an invented token' },
  ].map(of);
  expect(new Set([of({}), ...others]).size).toBe(6);
});

test('Microsoft allows three connections a mailbox', () => {
  expect(read(microsoft).providers[0]?.maxConnections).toBe(3);
  expect(read({ ...microsoft, SMTP_MAX_CONNECTIONS: '7' }).providers[0]?.maxConnections).toBe(7);
  expect(read({ ...microsoft, SMTP_HOST: 'smtp.provider.test' }).providers[0]?.maxConnections).toBe(5);
});
