// Named users of the dashboard: who gets in, what each role may, and that a change of it holds at once.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { type Dashboard, startDashboard } from '../dashboard/dashboard.ts';

let dashboard: Dashboard;
let admin: string;
beforeAll(async () => {
  dashboard = await startDashboard({ unlimited: true });
  admin = await dashboard.cookie();
});
afterAll(() => dashboard[Symbol.asyncDispose]());

const ours = { 'x-postern-dashboard': '1', 'content-type': 'application/json' };

async function ask(cookie: string, method: string, path: string, body?: unknown) {
  const response = await fetch(dashboard.base + path, {
    method,
    headers: { ...ours, cookie },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever shape the answer has
  const answer = (isJson ? JSON.parse(text) : text) as any;
  return { status: response.status, body: answer, headers: response.headers };
}

const create = (name: string, role: string) => ask(admin, 'POST', '/api/v1/people', { name, role });

/** The session's cookie, or the status when it was refused. */
async function signIn(name: string, password: string): Promise<string | number> {
  const { status, headers } = await ask('', 'POST', '/dashboard/sign-in', { name, password });
  return status === 204 ? (headers.getSetCookie()[0]?.split(';')[0] ?? '') : status;
}

const isSignedIn = async (cookie: string) => (await ask(cookie, 'GET', '/dashboard/overview')).status === 200;

const insert = () =>
  dashboard.database.transaction((tx) =>
    insertEmail(tx, {
      kind: 'single',
      from: { address: 'hello@example.com' },
      recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann' }],
      subject: 'Your order',
      text: 'The word is xylophone: https://example.com/secret',
      html: '<p>The word is xylophone</p>',
      headers: [{ name: 'X-Link', value: 'https://example.com/secret' }],
      dueAt: new Date(Date.now() + 3_600_000),
    }),
  );

test('a user signs in with name and the password that was shown once, and changes it', async () => {
  const made = await create('maria', 'operate');
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({ name: 'maria', role: 'operate', password_is_initial: true });
  const { password } = made.body;
  expect(password).toMatch(/^[a-z2-9]{5}(?:-[a-z2-9]{5}){3}$/);
  const stored = await dashboard.query('select * from dashboard_user');
  expect(JSON.stringify(stored.rows)).not.toContain(password);

  expect(await signIn('maria', 'wrong')).toBe(401);
  expect(await signIn('maria', dashboard.password)).toBe(401);
  expect(await signIn('nobody', password)).toBe(401);
  const [one, other] = [await signIn('MARIA', password), await signIn('maria', password)] as [string, string];
  const session = await ask(one, 'GET', '/dashboard/session');
  expect(session.body.person).toMatchObject({ name: 'maria', role: 'operate', password_is_initial: true });
  const mine = 'a better pass phrase';
  const change = (body: unknown) => ask(one, 'POST', '/dashboard/password', body);
  expect((await change({ old: 'not it', new: mine })).status).toBe(422);
  expect((await change({ old: password, new: 'short' })).status).toBe(422);
  expect((await change({ old: password, new: mine })).status).toBe(204);
  expect([await isSignedIn(one), await isSignedIn(other)]).toEqual([true, false]);
  expect(await signIn('maria', password)).toBe(401);
  expect(await signIn('maria', mine)).toEqual(expect.any(String));
});

test('a name is told once, is no address, and is not that of the first admin', async () => {
  await create('ben', 'view');
  for (const name of ['Ben', 'admin', 'ADMIN', 'ann@example.com', ' ann', ''])
    expect([name, (await create(name, 'view')).status]).toEqual([name, 422]);
  expect((await ask(admin, 'POST', '/dashboard/password', { old: 'x', new: 'x'.repeat(12) })).status).toBe(
    404,
  );
});

test('view sees lists, statuses and timelines, and nothing that an email says', async () => {
  const { id } = await insert();
  const cookie = await dashboard.cookie('view');
  for (const path of [
    ...['/dashboard/overview', '/dashboard/emails', `/dashboard/emails/${id}`, '/dashboard/emails/count'],
    ...['/api/customers', '/api/v1/emails', `/api/v1/emails/${id}`, `/api/v1/emails/${id}/events`],
    ...['/api/v1/suppressions', '/api/v1/scheduled-emails', '/api/v1/domains', '/dashboard/refusals'],
  ]) {
    const { status, body } = await ask(cookie, 'GET', path);
    expect([path, status]).toEqual([path, 200]);
    expect(JSON.stringify(body)).not.toMatch(/xylophone|secret/);
  }
  for (const path of [
    ...[`/dashboard/emails/${id}/preview`, `/dashboard/emails/${id}/source`, '/dashboard/emails.csv'],
    ...[`/dashboard/emails/${id}/attachments/0`, `/api/v1/emails/${id}/attachments`, '/api/v1/keys'],
    ...['/api/v1/webhooks', '/api/v1/people', '/api/admin/onboarding/applications'],
    ...['/api/v1/suppressions/export', '/Dashboard/Emails/1/Source'],
  ]) {
    const { status, body } = await ask(cookie, 'GET', path);
    expect([path, status, body.type]).toEqual([path, 403, '/problems/forbidden']);
  }
  const acted = await ask(cookie, 'POST', '/dashboard/emails/act', { act: 'cancel', ids: [id] });
  expect(acted.status).toBe(403);
  expect(acted.body).toMatchObject({ needed: 'operate', granted: ['view'] });
  expect((await ask(cookie, 'POST', `/api/v1/emails/${id}/cancel`)).status).toBe(403);
});

test('a search of view does not tell which words a body has', async () => {
  await insert();
  const found = async (cookie: string) => {
    const list = await ask(cookie, 'GET', '/dashboard/emails?text=xyloph');
    const count = await ask(cookie, 'GET', '/dashboard/emails/count?text=xyloph');
    return [list.body.data.length > 0, count.body.count > 0];
  };
  expect(await found(admin)).toEqual([true, true]);
  expect(await found(await dashboard.cookie('view'))).toEqual([false, false]);
});

test('operate reads and acts, and gives nobody access', async () => {
  const { id } = await insert();
  const cookie = await dashboard.cookie('operate');
  expect((await ask(cookie, 'GET', `/dashboard/emails/${id}`)).body.email.text).toContain('xylophone');
  const acted = await ask(cookie, 'POST', '/dashboard/emails/act', { act: 'cancel', ids: [id] });
  expect(acted.body.results).toMatchObject([{ outcome: 'done' }]);
  const { body } = await ask(cookie, 'GET', `/dashboard/emails/${id}`);
  expect(body.events.at(-1).detail.actor).toMatch(/^person:operate-/);
  const entry = { address: 'ann@example.com', reason: 'manual' };
  expect((await ask(cookie, 'POST', '/api/v1/suppressions', entry)).status).toBeLessThan(300);
  for (const [method, path] of [
    ['GET', '/api/v1/keys'],
    ['POST', '/api/v1/keys'],
    ['POST', '/api/v1/webhooks'],
    ['POST', '/api/v1/people'],
    ['POST', '/api/v1/emails'],
    ['DELETE', '/api/v1/recipients/ann@example.com'],
    ['DELETE', '/api/customers/01900000-0000-7000-8000-000000000001'],
  ] as const)
    expect([
      method,
      path,
      (await ask(cookie, method, path, method === 'GET' ? undefined : {})).status,
    ]).toEqual([method, path, 403]);
});

test('another role and a disabled user hold at once, also for pages that are open', async () => {
  const made = await create('eve', 'operate');
  const patch = (body: unknown) => ask(admin, 'PATCH', `/api/v1/people/${made.body.id}`, body);
  for (const [change, back] of [
    [{ role: 'view' }, { role: 'operate' }],
    [{ disabled: true }, { disabled: false }],
  ] as const) {
    const cookie = await dashboard.cookieOf(made.body.id);
    const stream = await fetch(`${dashboard.base}/dashboard/stream`, { headers: { cookie } });
    expect((await patch(change)).status).toBe(200);
    expect(await isSignedIn(cookie)).toBe(false);
    // Resolves only when the stream has ended.
    expect(await stream.text()).toContain('retry:');
    await patch(back);
  }
});

test('a disabled user, and one with a new password, cannot sign in as before', async () => {
  const made = await create('olga', 'view');
  const path = `/api/v1/people/${made.body.id}`;
  await ask(admin, 'PATCH', path, { disabled: true });
  expect(await signIn('olga', made.body.password)).toBe(401);
  await ask(admin, 'PATCH', path, { disabled: false });
  const reset = await ask(admin, 'POST', `${path}/reset-password`);
  expect(await signIn('olga', made.body.password)).toBe(401);
  expect(await signIn('olga', reset.body.password)).toEqual(expect.any(String));
});

test('without the sessions being ended, the role of today counts', async () => {
  const cookie = await dashboard.cookie('admin');
  expect((await ask(cookie, 'GET', '/api/v1/people')).status).toBe(200);
  await dashboard.query("update dashboard_user set role = 'view' where name like 'admin-%'");
  expect((await ask(cookie, 'GET', '/api/v1/people')).status).toBe(403);
  await dashboard.query("update dashboard_user set disabled_at = now() where name like 'admin-%'");
  expect((await ask(cookie, 'GET', '/dashboard/overview')).status).toBe(401);
});
