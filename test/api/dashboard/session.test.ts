// Who gets in: the password, the cookie, and requests that come from somewhere else.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSessions } from '../../../api/dashboard/session.ts';
import { withinOneMinute } from '../../kit/minute.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

let dashboard: Dashboard;
beforeAll(async () => {
  dashboard = await startDashboard();
});
afterAll(() => dashboard[Symbol.asyncDispose]());

const ours = { 'x-postern-dashboard': '1', 'content-type': 'application/json' };
const ask = (path: string, init: RequestInit = {}) => fetch(dashboard.base + path, init);
const signIn = (password: string, headers: Record<string, string> = ours) =>
  ask('/dashboard/sign-in', { method: 'POST', headers, body: JSON.stringify({ password }) });

test('the right password sets a cookie that scripts and other sites cannot use', async () => {
  const response = await signIn(dashboard.password);
  expect(response.status).toBe(204);
  const [cookie] = response.headers.getSetCookie();
  expect(cookie).toMatch(/^postern_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
});

test('over HTTPS the cookie stays there, whatever the proxy tells us', async () => {
  const response = await signIn(dashboard.password, {
    ...ours,
    origin: 'https://mail.example.com',
    'sec-fetch-site': 'same-origin',
  });
  for (const cookie of response.headers.getSetCookie()) {
    expect(cookie).toMatch(/^__Host-postern_(?:session|browser)=[^;]+; Path=\/; .*; Secure$/);
  }
});

test('a wrong password is told so, and tells nothing else', async () => {
  const response = await signIn('open barley');
  expect(response.status).toBe(401);
  expect(response.headers.get('set-cookie')).toBeNull();
  expect(await response.json()).toMatchObject({ type: '/problems/unauthenticated' });
});

test('without a session there are documents and files, but nothing about mail', async () => {
  expect((await ask('/')).status).toBe(200);
  expect((await ask('/emails')).headers.get('content-type')).toMatch(/html/);
  for (const path of [
    '/dashboard/overview',
    '/dashboard/stream',
    '/dashboard/emails',
    '/dashboard/nothing',
  ]) {
    expect((await ask(path)).status, path).toBe(401);
  }
  expect((await ask('/api/customers')).status).toBe(401);
});

test('with a session the API itself answers, as to an administrator', async () => {
  const cookie = await dashboard.cookie();
  expect((await ask('/api/v1/keys', { headers: { cookie } })).status).toBe(200);
});

test('a key that is wrong is not made good by a session', async () => {
  const headers = { cookie: await dashboard.cookie(), authorization: 'Bearer nonsense' };
  expect((await ask('/api/v1/keys', { headers })).status).toBe(401);
});

test.each([
  ['another site', { ...ours, 'sec-fetch-site': 'cross-site' }],
  ['a neighbour of the same site', { ...ours, 'sec-fetch-site': 'same-site' }],
  ['another origin, said by an older browser', { ...ours, origin: 'https://evil.example.com' }],
  ['a form, which cannot send our header', { 'content-type': 'application/json' }],
  ['an opaque origin, such as the frame of a mail', { ...ours, origin: 'null' }],
])('a change asked for by %s is refused, cookie or not', async (_name, headers) => {
  const cookie = await dashboard.cookie();
  const body = JSON.stringify({ name: 'Evil', scopes: ['admin'] });
  const response = await ask('/api/v1/keys', { method: 'POST', headers: { ...headers, cookie }, body });
  expect(response.status).toBe(403);
  expect((await dashboard.query('select 1 from api_key')).rowCount).toBe(0);
});

test('signing out ends the session for whoever kept its cookie', async () => {
  const cookie = await dashboard.cookie();
  const response = await ask('/dashboard/sign-out', { method: 'POST', headers: { ...ours, cookie } });
  expect(response.status).toBe(204);
  expect((await ask('/dashboard/overview', { headers: { cookie } })).status).toBe(401);
});

test('a session that is over is over', async () => {
  const cookie = await dashboard.cookie();
  await dashboard.query("update dashboard_session set expires_at = now() - interval '1 second'");
  expect((await ask('/dashboard/overview', { headers: { cookie } })).status).toBe(401);
});

test('another ADMIN_PASSWORD ends all sessions', async () => {
  const cookie = await dashboard.cookie();
  const sessions = openSessions({
    database: dashboard.database,
    password: 'another one',
    limit: async () => ({}),
  });
  const get = (name: string) => (name === 'cookie' ? cookie : undefined);
  expect(await sessions.personOf({ get } as never)).toBeUndefined();
});

test('guessing is slowed down after a few tries, for the right password too', async () => {
  const [guesses, right] = await withinOneMinute(dashboard, async () => {
    const statuses = [];
    for (let guess = 0; guess < 14; guess++) statuses.push((await signIn(`guess ${guess}`)).status);
    return [statuses, (await signIn(dashboard.password)).status] as const;
  });
  expect(guesses).toContain(429);
  expect(right).toBe(429);
});
