// Attack: what a browser, a proxy or a stranger may try beside guessing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSessions } from '../../api/dashboard/session.ts';
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
  const read = readerOf(otherStream);
  await read('event: overview');
  const signedOut = await fetch(`${dashboard.base}/dashboard/sign-out`, {
    method: 'POST',
    headers: { ...ours, cookie: mine },
  });
  expect(signedOut.status).toBe(204);
  // Resolves only when the stream has ended.
  expect(await stream.text()).toContain('retry:');
  // It is still told what happens from now on.
  const about = crypto.randomUUID();
  await dashboard.query("insert into event (type, email_id) values ('created', $1)", [about]);
  await read(about);
  await otherStream.body?.cancel().catch(() => {});
});

/** Reads on until the stream has told it; fails when the stream ends before. */
function readerOf(stream: Response): (wanted: string) => Promise<void> {
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let told = '';
  return async (wanted) => {
    while (!told.includes(wanted)) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      expect(done).toBe(false);
      told += value;
    }
  };
}

test('over TLS a session counts only from the cookie that no other host of the site can set', async () => {
  const cookie = await dashboard.cookie();
  const { database, password } = dashboard;
  const sessions = openSessions({ database, password, limit: async () => ({}) });
  const isSignedIn = async (secure: boolean, sent: string) => {
    const request = { secure, get: (name: string) => (name === 'cookie' ? sent : undefined) };
    return (await sessions.personOf(request as never)) !== undefined;
  };
  expect(await isSignedIn(true, cookie)).toBe(false);
  expect(await isSignedIn(true, `__Host-${cookie}`)).toBe(true);
  expect(await isSignedIn(false, cookie)).toBe(true);
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

test('an idempotency key that is used for another address does what that address says', async () => {
  await using api = await startApi();
  const send = async () =>
    (
      await api.post('/api/v1/emails', {
        ...{ to: 'ann@example.com', subject: 'Later', text: 'Hello.' },
        scheduled_datetime: '2035-03-01T09:00:00Z',
      })
    ).body.id as string;
  const headers = { 'idempotency-key': 'cancel' };
  for (const id of [await send(), await send()]) {
    const { body } = await api.post(`/api/v1/emails/${id}/cancel`, undefined, { headers });
    expect(body).toEqual({ id, status: 'cancelled' });
    expect((await api.get(`/api/v1/emails/${id}`)).body.status).toBe('cancelled');
  }
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
