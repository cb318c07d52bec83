// Attack: what a browser, a proxy or a stranger may try beside guessing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dashboard, startDashboard } from '../api/dashboard/dashboard.ts';
import { startApi } from '../api/in-process.ts';

let dashboard: Dashboard;
beforeAll(async () => {
  dashboard = await startDashboard();
});
afterAll(() => dashboard[Symbol.asyncDispose]());

const ours = { 'x-postern-dashboard': '1', 'content-type': 'application/json' };

async function openStream(cookie: string) {
  const response = await fetch(`${dashboard.base}/dashboard/stream`, { headers: { cookie } });
  expect(response.status).toBe(200);
  return response;
}

test('signing out ends the event stream of that session, and no other', async () => {
  const [mine, other] = [await dashboard.cookie(), await dashboard.cookie()];
  const [stream, otherStream] = [await openStream(mine), await openStream(other)];
  const signedOut = await fetch(`${dashboard.base}/dashboard/sign-out`, {
    method: 'POST',
    headers: { ...ours, cookie: mine },
  });
  expect(signedOut.status).toBe(204);
  // Resolves only when the stream has ended.
  expect(await stream.text()).toContain('retry:');
  // It is still told something: the beat of a look after this one.
  const reader = otherStream.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  await reader?.cancel();
});

test('a session that ends elsewhere ends its stream as well', async () => {
  const stream = await openStream(await dashboard.cookie());
  await dashboard.query('delete from dashboard_session');
  // Resolves only when the stream has ended.
  expect(await stream.text()).toContain('retry:');
});

test('nobody but a trusted proxy says which host a request was for', async () => {
  const cookie = await dashboard.cookie();
  const headers = {
    ...ours,
    cookie,
    origin: 'https://evil.example.com',
    'x-forwarded-host': 'evil.example.com',
    'x-forwarded-proto': 'https',
  };
  const body = JSON.stringify({ name: 'Evil', scopes: ['admin'] });
  const response = await fetch(`${dashboard.base}/api/v1/keys`, { method: 'POST', headers, body });
  expect(response.status).toBe(403);
});

test('strangers do not share idempotency keys', async () => {
  await using api = await startApi({ trustedProxies: ['loopback'] });
  const apply = (from: string, company: string) =>
    api.post(
      '/api/onboarding/applications',
      { company, contact_name: 'Ann', email: 'ann@example.com' },
      { key: null, headers: { 'idempotency-key': 'order-1', 'x-forwarded-for': from } },
    );
  const mine = await apply('192.0.2.1', 'Acme');
  const again = await apply('192.0.2.1', 'Acme');
  const stranger = await apply('198.51.100.1', 'Globex');
  const curious = await apply('198.51.100.2', 'Acme');
  expect([mine, again, stranger, curious].map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(again.body.id).toBe(mine.body.id);
  for (const { headers } of [stranger, curious]) expect(headers.get('idempotency-replayed')).toBeNull();
});
