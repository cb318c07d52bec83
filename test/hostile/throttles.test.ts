// Attack: strangers guess, and hope that somebody else has to pay for it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authenticator } from '../../api/authenticate.ts';
import { openSessions } from '../../api/dashboard/session.ts';
import { networkOf } from '../../api/network.ts';
import { openPenalties } from '../../api/penalty.ts';
import { Problem } from '../../api/problem.ts';
import { type CountRefused, measureSignIns } from '../../api/sign-in-measures.ts';
import { EnvironmentError, readApiEnvironment, readRelayEnvironment } from '../../deploy/environment.ts';
import { whyGuessable } from '../../deploy/guessable.ts';
import { openLog } from '../../deploy/log.ts';
import { openMetrics } from '../../deploy/metrics.ts';
import { type Api, startApi } from '../api/in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const wrongKey = { key: 'postern_wrong' };

test('wrong API keys are answered 429 after a while, and good keys of the same network are not', async () => {
  const { body: made } = await api.post('/api/v1/keys', { name: 'shop', scopes: ['read'] });
  const statuses: number[] = [];
  for (let guess = 0; guess < 40; guess++) statuses.push((await api.get('/api/v1/emails', wrongKey)).status);
  expect(statuses.slice(0, 30)).toEqual(Array(30).fill(401));
  expect(statuses.slice(30)).toEqual(Array(10).fill(429));
  const refused = await api.get('/api/v1/emails', wrongKey);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  // 256 random bits cannot be guessed, so whoever has them did not guess.
  expect((await api.get('/api/v1/emails', { key: made.secret })).status).toBe(200);
  expect((await api.get('/api/v1/emails')).status).toBe(200);
});

test('API_KEY, which a person chose, is not found by guessing on, and one network does not pay for another', async () => {
  let now = 0;
  const authenticate = authenticator(api.database, 'chosen-by-a-person', { now: () => now });
  const ask = (key: string, address: string) =>
    authenticate(`Bearer ${key}`, address).then(
      () => 'in',
      ({ type }) => type,
    );
  for (let guess = 0; guess < 30; guess++) {
    // From all over the network that somebody with one IPv6 address has.
    expect(await ask(`guess-${guess}`, `2001:db8:1:2::${guess.toString(16)}`)).toBe('unauthenticated');
  }
  expect(await ask('chosen-by-a-person', '2001:db8:1:2::ffff')).toBe('rate-limited');
  expect(await ask('chosen-by-a-person', '2001:db8:1:3::1')).toBe('in');
  now = 60_001;
  expect(await ask('chosen-by-a-person', '2001:db8:1:2::ffff')).toBe('in');
});

test('penalties last, however many others fail meanwhile', () => {
  const penalties = openPenalties({ allowed: 3, windowMs: 60_000, most: 100 });
  for (let failure = 0; failure < 3; failure++) penalties.failed('192.0.2.1', 0);
  for (let other = 0; other < 10_000; other++) penalties.failed(`other-${other}`, 1_000);
  expect(penalties.wait('192.0.2.1', 30_000)).toBe(30);
  expect(penalties.wait('other-9999', 30_000)).toBe(0);
  expect(penalties.wait('192.0.2.1', 60_000)).toBe(0);
});

test.each([
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0:0:ffff::2', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['192.0.2.7', '192.0.2.7'],
])('%s is of the network %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

/** The dashboard's sign-in with a minute that does not end. */
function openSignIn(refused?: CountRefused) {
  const counts = new Map<string, number>();
  const sessions = openSessions({
    database: api.database,
    password: 'open sesame',
    refused,
    async limit(subject, perMinute) {
      const count = (counts.get(subject) ?? 0) + 1;
      counts.set(subject, count);
      if (count > perMinute) throw new Problem('rate-limited', 'Too many.');
      return {};
    },
  });
  return async (password: string, { ip = '192.0.2.1', cookie = '', name = '' } = {}) => {
    const set: string[] = [];
    const request = { ip, get: (name: string) => (name === 'cookie' ? cookie : undefined) };
    const response = { append: (_name: string, value: string) => set.push(value) };
    const outcome = await sessions.signIn(request as never, response as never, { name, password }).then(
      () => 'in',
      ({ type }) => type,
    );
    return { outcome, set };
  };
}

test('a browser that signed in before still does while strangers guess, but does not guess on for ever', async () => {
  const signIn = openSignIn();
  const { set } = await signIn('open sesame');
  const browser = set.find((cookie) => cookie.startsWith('postern_browser=')) ?? '';
  expect(browser).toMatch(/; Path=\/; HttpOnly; SameSite=Strict; Max-Age=34560000$/);
  const cookie = browser.split(';')[0] ?? '';

  // A botnet: everybody together is over the limit, and then the administrator's own network as well.
  for (let guess = 0; guess < 70; guess++) await signIn('guess', { ip: `198.51.100.${guess}` });
  expect((await signIn('open sesame')).outcome).toBe('rate-limited');
  expect((await signIn('open sesame', { cookie })).outcome).toBe('in');
  for (let guess = 0; guess < 12; guess++) await signIn('guess');
  expect((await signIn('open sesame', { cookie })).outcome).toBe('in');

  for (const forged of ['postern_browser=AAAAAAAAAAAAAAAAAAAAAA.AAAA', `${cookie}x`, 'postern_browser=']) {
    expect((await signIn('open sesame', { cookie: forged })).outcome).toBe('rate-limited');
  }
  for (let guess = 0; guess < 10; guess++) await signIn('guess', { cookie });
  expect((await signIn('open sesame', { cookie })).outcome).toBe('rate-limited');
});

test('guesses for one name are limited from wherever they come, and keep nobody else out', async () => {
  const signIn = openSignIn();
  const guess = (ip: string, name: string) => signIn('guess', { ip, name });
  for (let n = 0; n < 20; n++) {
    expect((await guess(`198.51.100.${n}`, n % 2 ? 'maria' : 'Maria')).outcome).toBe('unauthenticated');
  }
  expect((await guess('198.51.100.99', 'MARIA')).outcome).toBe('rate-limited');
  expect((await guess('198.51.100.99', 'ben')).outcome).toBe('unauthenticated');
  expect((await signIn('open sesame', { ip: '203.0.113.1' })).outcome).toBe('in');
});

test('strangers of one IPv6 network share their guesses', async () => {
  const signIn = openSignIn();
  for (let guess = 0; guess < 10; guess++) await signIn('guess', { ip: `2001:db8:9:9::${guess}` });
  expect((await signIn('guess', { ip: '2001:db8:9:9::ffff' })).outcome).toBe('rate-limited');
  expect((await signIn('open sesame', { ip: '2001:db8:9:8::1' })).outcome).toBe('in');
});

test('wrong and throttled sign-ins are counted by door, from 0 on', async () => {
  const metrics = openMetrics('api', openLog('api', 'silent'));
  const refused = measureSignIns(metrics);
  const counts = async () =>
    Object.fromEntries(
      [
        ...(await metrics.text()).matchAll(
          /^postern_sign_ins_refused_total\{door="(\w+)",reason="(\w+)".*\} (\d+)$/gm,
        ),
      ].map(([, door, reason, count]) => [`${door} ${reason}`, Number(count)]),
    );
  expect(await counts()).toEqual({
    'key wrong': 0,
    'key throttled': 0,
    'dashboard wrong': 0,
    'dashboard throttled': 0,
    'oidc wrong': 0,
    'oidc throttled': 0,
  });
  const authenticate = authenticator(api.database, 'chosen-by-a-person', { refused: refused.key });
  for (let guess = 0; guess < 32; guess++) await authenticate('Bearer guess', '192.0.2.9').catch(() => {});
  await authenticate('Bearer chosen-by-a-person', '192.0.2.8');
  const signIn = openSignIn(refused.dashboard);
  for (let guess = 0; guess < 11; guess++) await signIn('guess');
  await signIn('open sesame', { ip: '192.0.2.8' });
  expect(await counts()).toEqual({
    'key wrong': 30,
    'key throttled': 2,
    'dashboard wrong': 10,
    'dashboard throttled': 1,
    'oidc wrong': 0,
    'oidc throttled': 0,
  });
});

const common = { DATABASE_URL: 'postgres://postern@db.example/postern' };
const apiSettings = (more: Record<string, string>) => ({
  ...common,
  PUBLIC_URL: 'https://app.example.com',
  API_KEY: 'Jm3xQ0zv9TgL5wKc8RbN',
  RELAY_PASSWORD: 'Vq7pYs2dHf6kXt1uWz4e',
  ...more,
});
const named = (warnings: readonly { variable: string; cause: string }[]) =>
  warnings.filter(({ cause }) => cause === 'env-guessable-secret').map(({ variable }) => variable);

test('secrets that can be guessed are named, unless only this machine reaches them', () => {
  const weak = { API_KEY: 'short', ADMIN_PASSWORD: 'Password123!', RELAY_PASSWORD: 'postern' };
  expect(named(readApiEnvironment(apiSettings(weak)).warnings)).toEqual(Object.keys(weak));
  expect(named(readApiEnvironment(apiSettings({})).warnings)).toEqual([]);
  const local = { ...weak, PUBLIC_URL: 'http://localhost:3000' };
  expect(named(readApiEnvironment(apiSettings(local)).warnings)).toEqual([]);
  const relay = { ...common, RELAY_PASSWORD: 'postern', RELAY_USERS: 'shop:shop' };
  expect(named(readRelayEnvironment(relay).warnings)).toEqual(['RELAY_PASSWORD', 'RELAY_USERS']);
  expect(named(readRelayEnvironment({ ...relay, RELAY_BIND: '127.0.0.1' }).warnings)).toEqual([]);
});

test.each([
  'aaaaaaaaaaaaaaaaaaaa',
  '12345678901234567890',
  'admin-password-2026',
  'postern-local-key',
  'abcdefghijklmnopqr',
])('%s can be guessed', (secret) => {
  expect(whyGuessable(secret, { atLeast: 16 })).toMatch(/guessed$/);
});

test.each(['Jm3xQ0zv9TgL5wKc8RbN', 'correct horse battery staple', '9f8e1c0b7a6d5e4f3a2b1c0d9e8f7a6b'])(
  '%s is as good as it looks',
  (secret) => {
    expect(whyGuessable(secret, { atLeast: 16 })).toBeUndefined();
  },
);

test.each([
  '0.0.0.0/0',
  '::/0',
  '10.0.0.0/8,128.0.0.0/1',
  '2000::/3',
  'fc00::/0',
  '::ffff:0:0/96',
  '0:0:0:0:0:ffff:0.0.0.0/97',
  '::/64',
])('a relay that trusts %s does not start, and says why', (networks) => {
  const settings = { ...common, RELAY_PASSWORD: 'x', RELAY_TRUSTED_NETWORKS: networks };
  expect(() => readRelayEnvironment(settings)).toThrow(EnvironmentError);
  expect(() => readRelayEnvironment(settings)).toThrow(
    /RELAY_TRUSTED_NETWORKS lets anybody send without a password/,
  );
});

test('networks of ones own are trusted', () => {
  const networks = '10.0.0.0/8,172.16.0.0/12,fc00::/7,fd00::/8,192.0.2.0/24,::1/128,::ffff:10.0.0.0/104';
  const settings = { ...common, RELAY_PASSWORD: 'x', RELAY_TRUSTED_NETWORKS: networks };
  expect(readRelayEnvironment(settings).relayTrustedNetworks).toHaveLength(7);
});
