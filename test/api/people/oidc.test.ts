// Sign-in by OpenID Connect at a real server that signs real tokens, and what is said when something is wrong.
import { Events, OAuth2Server } from 'oauth2-mock-server';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { roleOf, valuesOf } from '../../../api/people/oidc/role-of.ts';
import type { OidcSettings } from '../../../deploy/oidc.ts';
import { freePort } from '../../kit/ports.ts';
import { type Dashboard, startDashboard } from '../dashboard/dashboard.ts';

const server = new OAuth2Server();
let settings: OidcSettings;
let dashboard: Dashboard;

beforeAll(async () => {
  await server.issuer.keys.generate('RS256');
  // Another site than ours, which is 127.0.0.1.
  await server.start(0, 'localhost');
  settings = {
    issuer: server.issuer.url ?? '',
    clientId: 'postern',
    clientSecret: 'invented for this test',
    scopes: 'openid profile email',
    roleClaim: 'groups',
    roles: [
      { role: 'admin', value: 'postern-admins' },
      { role: 'view', value: 'staff' },
    ],
    defaultRole: undefined,
  };
  dashboard = await startDashboard({ unlimited: true, oidc: settings });
});
afterAll(async () => {
  await dashboard?.[Symbol.asyncDispose]();
  await server.stop();
});

type Payload = Record<string, unknown>;
let claims: Payload;
/** What the provider tells only where it is asked again. */
let userinfo: Payload;
let nonce: string | undefined;
beforeEach(() => {
  userinfo = {};
  claims = { sub: 'maria-1', aud: 'postern', preferred_username: 'maria', groups: ['staff'] };
  server.service.on(Events.BeforeUserinfo, ({ body }) => {
    Object.assign(body, { sub: claims.sub }, userinfo);
  });
  server.service.on(Events.BeforeTokenSigning, ({ payload }) => {
    // The id token, and not the access token.
    Object.assign(payload, { nonce }, claims);
  });
});
afterEach(() => {
  server.service.removeAllListeners();
});

const cookiesOf = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0] ?? '')
    .filter((cookie) => !cookie.endsWith('='))
    .join('; ');

const get = (url: string, cookie = '') => fetch(url, { redirect: 'manual', headers: { cookie } });

/** As a browser goes: to us, to the provider, back to us. */
async function goThrough({ to = '/emails', change = (url: string) => url } = {}) {
  const start = await get(`${dashboard.base}/oidc/start?to=${encodeURIComponent(to)}`);
  expect(start.status).toBe(302);
  const asked = new URL(start.headers.get('location') ?? '');
  nonce = asked.searchParams.get('nonce') ?? undefined;
  const provider = await get(asked.href);
  const back = change(provider.headers.get('location') ?? '');
  const answer = await get(back, cookiesOf(start));
  return { asked, start, back, answer, text: await answer.text() };
}

test('somebody with a group of ours comes in with the role, as a user of ours', async () => {
  const { asked, start, answer, text } = await goThrough();
  expect(Object.fromEntries(asked.searchParams)).toMatchObject({
    client_id: 'postern',
    redirect_uri: `${dashboard.base}/oidc/callback`,
    response_type: 'code',
    scope: 'openid profile email',
    code_challenge_method: 'S256',
    state: expect.any(String),
    nonce: expect.any(String),
  });
  expect(start.headers.getSetCookie()[0]).toMatch(/^postern_oidc=.*; HttpOnly; SameSite=Lax; Max-Age=600$/);
  expect([answer.status, answer.headers.get('refresh')]).toEqual([200, '0; url=/emails']);
  expect(text).toContain('Signed in');
  const cookie = cookiesOf(answer);
  const session = (await (await get(`${dashboard.base}/dashboard/session`, cookie)).json()) as {
    person: unknown;
  };
  expect(session.person).toMatchObject({ name: 'maria', role: 'view', has_password: false });
  expect((await get(`${dashboard.base}/api/v1/keys`, cookie)).status).toBe(403);

  // The next time with another group: the role of today, and the same user.
  claims = { ...claims, preferred_username: 'Maria', groups: ['staff', 'postern-admins'] };
  const next = cookiesOf((await goThrough()).answer);
  const people = (await (await get(`${dashboard.base}/api/v1/people`, next)).json()) as {
    data: { id: string }[];
  };
  expect(people.data).toMatchObject([{ name: 'Maria', role: 'admin', sign_in: 'openid-connect' }]);
  const id = people.data[0]?.id;
  const patch = (body: unknown) =>
    fetch(`${dashboard.base}/api/v1/people/${id}`, {
      method: 'PATCH',
      headers: { cookie: next, 'x-postern-dashboard': '1', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await patch({ role: 'view' })).status).toBe(422);
  const audit = (await (await get(`${dashboard.base}/api/v1/audit?actor=${id}`, next)).json()) as {
    data: { act: string }[];
  };
  expect(audit.data.map(({ act }) => act)).toEqual([
    ...['sign-in', 'take-role-of-provider', 'sign-in', 'take-role-of-provider'],
  ]);

  expect((await patch({ disabled: true })).status).toBe(200);
  const refused = await goThrough();
  expect(refused.answer.status).toBe(403);
  expect(refused.text).toContain('This user is disabled');
  expect(cookiesOf(refused.answer)).toBe('');
});

test.each<[string, Payload, RegExp]>([
  [
    'no group of ours',
    { groups: ['guests'] },
    /You have no role here.*groups says of you: guests.*OIDC_ROLES/s,
  ],
  ['no such claim', { groups: undefined }, /says nothing of you in the claim groups/],
  ['another audience', { aud: 'somebody-else' }, /does not belong to this sign-in.*OIDC_CLIENT_ID/s],
  ['a wrong nonce', { nonce: 'of another sign-in' }, /does not belong to this sign-in.*Start again/s],
  ['another issuer', { iss: 'https://evil.example.com' }, /does not belong to this sign-in.*OIDC_ISSUER/s],
  ['an expired token', { exp: 1_600_000_000 }, /not valid at this time.*clock/s],
])('%s: nobody comes in, and the page says what to do', async (_name, change, says) => {
  claims = { ...claims, ...change };
  const { answer, text } = await goThrough();
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(text).toMatch(says);
  expect(cookiesOf(answer)).toBe('');
});

test('groups that are told only by the userinfo endpoint count, of the same user', async () => {
  claims = { ...claims, sub: 'olga-1', groups: undefined };
  userinfo = { groups: ['staff'] };
  expect((await goThrough()).answer.status).toBe(200);
  userinfo = { groups: ['staff'], sub: 'another' };
  const { answer, text } = await goThrough();
  expect([answer.status, cookiesOf(answer)]).toEqual([502, '']);
  expect(text).toContain('does not belong to this sign-in');
});

test('a clock that is a little ahead is no reason to refuse', async () => {
  claims = { ...claims, sub: 'early', exp: Math.floor(Date.now() / 1000) - 20 };
  expect((await goThrough()).answer.status).toBe(200);
});

test('a token that somebody else signed is refused', async () => {
  server.service.once(Events.BeforeResponse, ({ body }) => {
    const answer = body as { id_token: string };
    const [head, payload] = answer.id_token.split('.');
    answer.id_token = `${head}.${payload}.${Buffer.alloc(256, 7).toString('base64url')}`;
  });
  const { answer, text } = await goThrough();
  expect([answer.status, cookiesOf(answer)]).toEqual([502, '']);
  expect(text).toMatch(/signature of the ID token cannot be verified/);
});

test.each([
  ['invalid_client', /does not accept Postern as its client.*OIDC_CLIENT_SECRET/s],
  ['invalid_grant', /does not accept the code.*\/oidc\/callback/s],
])('the token endpoint answers %s', async (error, says) => {
  server.service.once(Events.BeforeResponse, (response) => {
    response.statusCode = 400;
    response.body = { error };
  });
  expect((await goThrough()).text).toMatch(says);
});

test('what the provider refuses, another state, a repeat, and what was never begun', async () => {
  const query = (url: string, change: (query: URLSearchParams) => void) => {
    const changed = new URL(url);
    change(changed.searchParams);
    return changed.href;
  };
  const denied = await goThrough({
    change: (url) =>
      query(url, (given) => {
        given.delete('code');
        given.set('error', 'access_denied');
        given.set('error_description', '<b>not assigned</b>');
      }),
  });
  expect(denied.text).toContain('access_denied: &lt;b&gt;not assigned&lt;/b&gt;');
  const other = await goThrough({ change: (url) => query(url, (given) => given.set('state', 'of another')) });
  expect(other.text).toContain('does not belong to this sign-in');
  const { back } = await goThrough();
  for (const cookie of ['', 'postern_oidc=e30.AAAA', 'postern_oidc=garbage']) {
    const again = await get(back, cookie);
    expect([again.status, cookiesOf(again)]).toEqual([400, '']);
    expect(await again.text()).toContain(dashboard.base);
  }
});

test('nobody is led to another host', async () => {
  claims = { ...claims, sub: 'led' };
  for (const to of ['https://evil.example.com/', '//evil.example.com', '/\\evil.example.com', '/a b', 'x'])
    expect((await goThrough({ to })).answer.headers.get('refresh')).toBe('0; url=/');
});

test('an issuer that is away is named, and passwords go on', async () => {
  const away = { ...settings, issuer: `http://localhost:${await freePort()}` };
  await using other = await startDashboard({ unlimited: true, oidc: away });
  const response = await get(`${other.base}/oidc/start`);
  expect(response.status).toBe(502);
  expect(await response.text()).toMatch(/does not answer.*ECONNREFUSED.*OIDC_ISSUER/s);
  const signIn = await fetch(`${other.base}/dashboard/sign-in`, {
    method: 'POST',
    headers: { 'x-postern-dashboard': '1', 'content-type': 'application/json' },
    body: JSON.stringify({ password: other.password }),
  });
  expect(signIn.status).toBe(204);
});

test.each<[string, Payload, string, string[]]>([
  ['a list', { groups: ['a', 'b', 3] }, 'groups', ['a', 'b']],
  ['one value', { hd: 'example.com' }, 'hd', ['example.com']],
  ['a member in a member', { realm_access: { roles: ['ops'] } }, 'realm_access.roles', ['ops']],
  ['a name with dots', { 'https://example.com/roles': ['ops'] }, 'https://example.com/roles', ['ops']],
  [
    'an address that is verified',
    { email: 'ann@example.com', email_verified: true },
    'email',
    ['ann@example.com'],
  ],
  ['an address that is not', { email: 'ann@example.com' }, 'email', []],
  ['what every object has', {}, 'constructor.name', []],
])('the claim is %s', (_name, given, claim, values) => {
  expect(valuesOf({ iss: 'x', sub: 'y', ...given }, claim)).toEqual(values);
});

test('the highest role counts, and the default only where it is set', () => {
  const of = (groups: string[], defaultRole?: 'view') =>
    roleOf({ iss: 'x', sub: 'y', groups }, { ...settings, defaultRole });
  expect([of(['staff', 'postern-admins']), of(['staff']), of([]), of([], 'view')]).toEqual([
    ...['admin', 'view', undefined, 'view'],
  ]);
});
