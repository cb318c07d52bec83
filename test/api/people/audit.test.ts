// Who did what: written in the transaction of the act, never changed, and without names, addresses, secrets or words of mail.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditedActs, notAudited } from '../../../api/audit/acts.ts';
import { differenceOf } from '../../../api/audit/state.ts';
import { findEntries } from '../../../api/audit/store.ts';
import { allOperations } from '../../../api/operations.ts';
import { openDatabase } from '../../../deploy/database.ts';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { forgetAudit } from '../../../worker/audit.ts';
import { urlOfProcess } from '../../kit/database.ts';
import { type Dashboard, startDashboard } from '../dashboard/dashboard.ts';

let dashboard: Dashboard;
let admin: string;
beforeAll(async () => {
  dashboard = await startDashboard({ unlimited: true });
  admin = await dashboard.cookie();
});
afterAll(() => dashboard[Symbol.asyncDispose]());

type Init = { cookie?: string; key?: string; body?: unknown };

async function ask(method: string, path: string, { cookie, key, body }: Init = {}) {
  const response = await fetch(dashboard.base + path, {
    method,
    headers: {
      'x-postern-dashboard': '1',
      'content-type': 'application/json',
      ...(cookie && { cookie }),
      ...(key && { authorization: `Bearer ${key}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever shape the answer has
  const answer = (/json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text) as any;
  return { status: response.status, body: answer };
}

const as = (cookie: string) => (method: string, path: string, body?: unknown) =>
  ask(method, path, { cookie, body });
const entries = async (query = '') =>
  (await ask('GET', `/api/v1/audit${query}`, { cookie: admin })).body.data;

const insert = async () =>
  (
    await dashboard.database.transaction((tx) =>
      insertEmail(tx, {
        kind: 'scheduled',
        from: { address: 'hello@example.com' },
        recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann' }],
        subject: 'Xylophone',
        text: 'Xylophone',
        dueAt: new Date(Date.now() + 3_600_000),
      }),
    )
  ).id;

test('every operation that changes something is an act of the list, or said not to be', () => {
  const operations = allOperations({
    database: {} as never,
    sending: {} as never,
    publicUrl: 'https://postern.shop.test',
    providerVariables: [],
  });
  const changing = operations.filter(({ method }) => method !== 'get').map(({ id }) => id);
  expect([...Object.keys(auditedActs), ...notAudited].sort()).toEqual(changing.sort());
});

test('an act on mail says who, what, on which mail, and what is different', async () => {
  const id = await insert();
  const cookie = await dashboard.cookie('operate');
  await as(cookie)('POST', '/dashboard/emails/act', { act: 'hold', ids: [id] });
  await as(cookie)('PATCH', `/api/v1/scheduled-emails/${id}`, { subject: 'Another xylophone' });
  await as(cookie)('POST', `/api/v1/emails/${id}/cancel`);
  // Too late: nothing happened, so nothing is said.
  await as(cookie)('POST', '/dashboard/emails/act', { act: 'hold', ids: [id] });
  const found = await entries(`?object=${id}`);
  const actor = { kind: 'person', id: expect.any(String), name: expect.stringMatching(/^operate-/) };
  const object = { kind: 'email', id, name: null };
  expect(found).toMatchObject([
    {
      act: 'cancel-email',
      actor,
      object,
      before: { status: 'pending' },
      after: { status: 'cancelled' },
    },
    { act: 'update-scheduled-email', actor, object, after: { fields: ['subject'] } },
    { act: 'hold-email', actor, object, before: { paused: false }, after: { paused: true } },
  ]);
});

test('keys, users, suppressions and erasure are listed, without secrets and addresses', async () => {
  const may = as(admin);
  const key = (await may('POST', '/api/v1/keys', { name: 'Ops', scopes: ['admin'] })).body;
  await may('PATCH', `/api/v1/keys/${key.id}`, { name: 'Ops ann@example.com' });
  await may('POST', `/api/v1/keys/${key.id}/rotate`);
  const person = (await may('POST', '/api/v1/people', { name: 'maria', role: 'view' })).body;
  await may('PATCH', `/api/v1/people/${person.id}`, { role: 'operate' });
  await ask('POST', '/api/v1/suppressions', {
    key: key.secret,
    body: { address: 'ann@example.com', reason: 'manual' },
  });
  await ask('DELETE', '/api/v1/recipients/ann@example.com', { cookie: admin });
  await may('DELETE', `/api/v1/keys/${key.id}`);

  expect(await entries(`?object=${key.id}`)).toMatchObject([
    { act: 'revoke-key', after: { revoked_at: expect.any(String) } },
    { act: 'rotate-key', after: { old_secret_until: expect.any(String) } },
    { act: 'update-key', before: {}, after: { fields: ['name'] } },
    { act: 'create-key', actor: { kind: 'admin', id: null }, after: { scopes: ['admin'] } },
  ]);
  expect(await entries(`?object=${person.id}&act=update-person`)).toMatchObject([
    { object: { name: 'maria' }, before: { role: 'view' }, after: { role: 'operate' } },
  ]);
  expect(await entries('?object=ann@example.com')).toMatchObject([
    { act: 'erase-recipient', actor: { kind: 'admin' } },
    { act: 'add-suppression', actor: { kind: 'key', id: key.id }, after: { listed: true } },
  ]);
  const { rows } = await dashboard.query('select * from audit_entry');
  const all = JSON.stringify(rows);
  for (const word of ['ann@', 'example.com', 'ylophone', 'maria', 'Ops', key.secret, person.password])
    expect(all).not.toContain(word);
});

test('an act that is rolled back leaves no entry, and a read none', async () => {
  const before = (await entries()).length;
  const id = '01900000-0000-7000-8000-000000000001';
  expect((await as(admin)('PATCH', `/api/v1/people/${id}`, { role: 'view' })).status).toBe(404);
  expect((await as(admin)('GET', '/api/v1/keys')).status).toBe(200);
  expect((await entries()).length).toBe(before);
});

test('sign-ins are listed, and refused ones up to a bound', async () => {
  const signIn = (body: unknown) => ask('POST', '/dashboard/sign-in', { body });
  await as(admin)('POST', '/api/v1/people', { name: 'ben', role: 'view' });
  expect((await signIn({ name: 'ben', password: 'guess' })).status).toBe(401);
  expect((await signIn({ name: 'my password', password: 'guess' })).status).toBe(401);
  const [unknown, known] = await entries('?act=refuse-sign-in');
  expect(known).toMatchObject({ actor: { kind: 'nobody' }, object: { kind: 'person', name: 'ben' } });
  expect(unknown).toMatchObject({ actor: { kind: 'nobody' }, object: null });
  const cookie = await dashboard.cookie('view');
  await as(cookie)('POST', '/dashboard/sign-out');
  expect(await entries('?actor=person&limit=2')).toMatchObject([{ act: 'sign-out' }, { act: 'sign-in' }]);
  await dashboard.query(
    `insert into audit_entry (id, actor_kind, act)
     select ('01999999-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'nobody', 'refuse-sign-in'
     from generate_series(1, 0) n`,
  );
  await dashboard.query(
    `insert into audit_entry (id, actor_kind, act)
     select (left(id::text, 24) || lpad(n::text, 12, '0'))::uuid, 'nobody', 'refuse-sign-in'
     from (select id from audit_entry order by id desc limit 1) newest, generate_series(1, 98) n`,
  );
  const count = async () =>
    (await dashboard.query("select from audit_entry where act = 'refuse-sign-in'")).rowCount;
  expect(await count()).toBe(100);
  await signIn({ name: 'ben', password: 'guess' });
  expect(await count()).toBe(100);
});

test('pages and times', async () => {
  const all = await entries('?limit=100');
  const { body } = await as(admin)('GET', '/api/v1/audit?limit=1');
  expect(body).toMatchObject({ has_more: true, next: all[0].id });
  expect((await entries(`?limit=1&after=${body.next}`))[0].id).toBe(all[1].id);
  expect(await entries(`?before=${encodeURIComponent('2020-01-01T00:00:00Z')}`)).toEqual([]);
  expect((await entries(`?limit=100&from=${encodeURIComponent(all.at(-1).at)}`)).length).toBe(all.length);
});

test('the database itself refuses to change an entry, to everybody, and to delete one within a year', async () => {
  for (const statement of [
    "update audit_entry set act = 'nothing'",
    'delete from audit_entry',
    'truncate audit_entry',
  ]) {
    await expect(dashboard.query(statement)).rejects.toMatchObject({ constraint: 'audit_is_append_only' });
    await expect(dashboard.database.query(statement)).rejects.toMatchObject({ code: '42501' });
  }
  await dashboard.query(
    `insert into audit_entry (id, at, actor_kind, act)
     select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
       now() - interval '364 days' - n * interval '1 hour', 'nobody', 'old' from generate_series(1, 48) n`,
  );
  await using worker = openDatabase({
    url: urlOfProcess(dashboard.url, 'worker'),
    applicationName: 'test',
    max: 1,
  });
  expect(await forgetAudit(worker, 90 * 86_400)).toBe(25);
  expect(await forgetAudit(worker, 366 * 86_400)).toBe(0);
});

test('a difference names only what became different', () => {
  expect(differenceOf({ a: 1, b: null, c: ['x'] }, { a: 1, b: 2, c: ['y'] })).toEqual({
    before: { c: ['x'] },
    after: { b: 2, c: ['y'] },
  });
});

test('what is asked for is found by an index, however long the list is', async () => {
  await dashboard.query(
    `insert into audit_entry (id, actor_kind, actor_id, act, object_kind, object_id)
     select gen_random_uuid(), 'key', gen_random_uuid(), 'act-' || n % 100, 'email', gen_random_uuid()::text
     from generate_series(1, 20000) n`,
  );
  await dashboard.query('analyze audit_entry');
  const { rows } = await dashboard.query<{ actor_id: string; object_id: string }>(
    "select actor_id, object_id from audit_entry where act = 'act-7' limit 1",
  );
  const read = `select sum(pg_stat_get_xact_tuples_returned(oid))::integer as read from pg_class
    where relname like 'audit_entry%'`;
  for (const search of [{ actor: rows[0]?.actor_id }, { object: rows[0]?.object_id }, { act: 'act-7' }, {}]) {
    await dashboard.database.transaction(async (tx) => {
      const before = (await tx.query<{ read: number }>(read)).rows[0]?.read ?? 0;
      expect((await findEntries(tx, { limit: 50, ...search })).length).toBeGreaterThan(0);
      const after = (await tx.query<{ read: number }>(read)).rows[0]?.read ?? 0;
      expect([search, after - before < 2_000]).toEqual([search, true]);
    });
  }
});
