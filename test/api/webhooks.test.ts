// Endpoints over HTTP: made, changed, listed, and what they are told to hear again.
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../kit/until.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi({ webhookAllowPrivate: ['10.7.0.0/16'] });
});
afterAll(() => api[Symbol.asyncDispose]());

const url = 'https://shop.example.com/hooks/mail';

const create = async (more: object = {}) => (await api.post('/api/v1/webhooks', { url, ...more })).body;
const deliver = async (webhookId: string, status = 'delivered', more: object = {}) => {
  const { rows } = await api.query<{ id: string }>(
    `insert into webhook_delivery (id, webhook_id, type, data, status, next_attempt_at, attempts)
     values (new_webhook_event_id(), $1, 'email.sent', $3, $2, case when $2 = 'waiting' then now() end, 3) returning id`,
    [webhookId, status, JSON.stringify(more)],
  );
  return rows[0]?.id ?? '';
};

test('an endpoint is made with its secret, which is shown once and readable to no process but the worker', async () => {
  const { status, body } = await api.post('/api/v1/webhooks', {
    url,
    events: ['email.bounced'],
    description: 'The shop',
    tags: [{ name: 'app', value: 'shop' }],
  });
  expect(status).toBe(201);
  const { secret, ...view } = body;
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32);
  expect(view).toMatchObject({
    ...{ url, events: ['email.bounced'], description: 'The shop', tags: [{ name: 'app', value: 'shop' }] },
    ...{ enabled: true, disabled_cause: null, failing_since: null, undelivered: 0, dropped: 0 },
  });
  expect((await api.get(`/api/v1/webhooks/${body.id}`)).body).toEqual(view);
  expect((await api.get('/api/v1/webhooks')).body.data).toContainEqual(view);
  await expect(api.database.query('select secret from webhook_secret')).rejects.toThrow('permission denied');
});

test('without events it hears of all', async () => {
  expect((await create()).events).toEqual(['*']);
  expect((await create({ events: ['email.sent', '*'] })).events).toEqual(['*']);
});

test('every fault of a request is named at once', async () => {
  const { status, body } = await api.post('/api/v1/webhooks', {
    url: 'http://ann:secret@localhost/hooks#part',
    events: ['email.opened', 'email.sent'],
    tags: [
      { name: 'app', value: 'x'.repeat(257) },
      { name: 'no spaces', value: 'shop' },
    ],
    description: 'x'.repeat(501),
    retries: 5,
  });
  expect([status, body.type]).toEqual([422, '/problems/invalid-fields']);
  const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer).sort();
  expect(pointers).toEqual([
    '#/description',
    '#/events/0',
    '#/retries',
    '#/tags/0/value',
    '#/tags/1/name',
    ...['#/url', '#/url', '#/url'],
  ]);
});

test.each([
  ['ftp://shop.example.com/', 'must begin with https://'],
  ['javascript:alert(1)', 'must begin with https://'],
  ['not a url', 'must be a URL'],
  ['http://shop.example.com@10.0.0.1/', 'must not hold a user'],
  ['https://127.0.0.1/hooks', 'must lead to a public address'],
  ['https://[::1]/hooks', 'must lead to a public address'],
  ['https://[::ffff:10.0.0.1]/hooks', 'must lead to a public address'],
  ['https://2130706433/', 'must lead to a public address'],
  ['https://0x7f.1/', 'must lead to a public address'],
  ['https://169.254.169.254/latest/meta-data', 'must lead to a public address'],
  ['https://a.localhost/', 'must lead to a public address'],
  ['http://1.1.1.1/', 'must begin with https://'],
  [`https://shop.example.com/${'x'.repeat(2_048)}`, 'must be at most 2048 characters'],
])('%s is refused', async (given, why) => {
  const { status, body } = await api.post('/api/v1/webhooks', { url: given });
  expect([status, JSON.stringify(body.errors)]).toEqual([422, expect.stringContaining(why)]);
});

test('addresses that the operator permits may be reached, also without TLS', async () => {
  expect((await api.post('/api/v1/webhooks', { url: 'http://10.7.0.5:8080/hooks' })).status).toBe(201);
  expect((await api.post('/api/v1/webhooks', { url: 'http://receiver:8080/hooks' })).status).toBe(201);
});

test('only an admin key may', async () => {
  const { body: key } = await api.post('/api/v1/keys', { name: 'Shop', scopes: ['send', 'read'] });
  const { id } = await create();
  const as = { key: key.secret };
  for (const answer of [
    await api.get('/api/v1/webhooks', as),
    await api.get(`/api/v1/webhooks/${id}`, as),
    await api.post('/api/v1/webhooks', { url }, as),
    await api.get(`/api/v1/webhooks/${id}/deliveries`, as),
    await api.delete(`/api/v1/webhooks/${id}`, as),
  ])
    expect(answer.status).toBe(403);
});

test('an endpoint is changed, switched off and on', async () => {
  const { id, secret: _, ...made } = await create({ events: ['email.sent'] });
  const path = `/api/v1/webhooks/${id}`;
  const { body } = await api.patch(path, { events: ['*'], url: `${url}/2`, enabled: false });
  expect(body).toMatchObject({ events: ['*'], url: `${url}/2`, enabled: false, disabled_cause: 'by-hand' });
  expect((await api.post(`${path}/test`)).body).toMatchObject({
    type: '/problems/webhook-disabled',
    status: 409,
  });
  await api.query(
    `update webhook set disabled_cause = 'failing', failing_since = now(), failures = 9 where id = $1`,
    [id],
  );
  expect((await api.patch(path, { enabled: true })).body).toMatchObject({
    ...{ enabled: true, disabled_cause: null, failing_since: null, created_at: made.created_at },
  });
  expect((await api.patch(path, { url: 'http://127.0.0.1/' })).status).toBe(422);
});

test('a deleted endpoint is gone, with its secrets', async () => {
  const { id } = await create();
  expect((await api.delete(`/api/v1/webhooks/${id}`)).status).toBe(204);
  expect((await api.delete(`/api/v1/webhooks/${id}`)).status).toBe(404);
  expect((await api.get(`/api/v1/webhooks/${id}`)).status).toBe(404);
  expect((await api.query('select from webhook_secret where webhook_id = $1', [id])).rowCount).toBe(0);
  expect((await api.query('select listens from webhook where id = $1', [id])).rows).toEqual([
    { listens: false },
  ]);
});

test('after a rotation the old secret lasts a day', async () => {
  const { id, secret } = await create();
  const { status, body } = await api.post(`/api/v1/webhooks/${id}/rotate-secret`);
  expect(status).toBe(200);
  expect(body.secret).not.toBe(secret);
  const { rows } = await api.query<{ secret: Buffer; hours: number | null }>(
    `select secret, round(extract(epoch from expires_at - now()) / 3600)::int as hours
     from webhook_secret where webhook_id = $1 order by created_at`,
    [id],
  );
  expect(rows.map((row) => [`whsec_${row.secret.toString('base64')}`, row.hours])).toEqual([
    [secret, 24],
    [body.secret, null],
  ]);
});

test('deliveries are listed by status, a page at a time, newest first', async () => {
  const { id } = await create();
  const ids: string[] = [];
  for (const status of ['delivered', 'failed', 'waiting', 'delivered']) ids.push(await deliver(id, status));
  const list = async (query: string) => (await api.get(`/api/v1/webhooks/${id}/deliveries${query}`)).body;
  const idsOf = (page: { data: { id: string }[] }) => page.data.map((each) => each.id);
  expect(idsOf(await list('')).sort()).toEqual([...ids].sort());
  expect(idsOf(await list('?status=failed'))).toEqual([ids[1]]);
  const first = await list('?limit=3');
  expect(first).toMatchObject({ has_more: true, next: first.data[2].id });
  expect(idsOf(await list(`?limit=3&after=${first.next}`))).toHaveLength(1);
  expect((await api.get(`/api/v1/webhooks/${id}/deliveries?status=lost`)).status).toBe(422);
});

test('one delivery, or all since a time, are due again under their ids', async () => {
  const { id } = await create();
  const [failed, delivered] = [await deliver(id, 'failed'), await deliver(id, 'delivered')];
  const path = `/api/v1/webhooks/${id}`;
  const replayed = await api.post(`${path}/deliveries/${delivered}/replay`);
  expect([replayed.status, replayed.body]).toEqual([
    202,
    expect.objectContaining({ id: delivered, status: 'waiting', attempts: 0 }),
  ]);
  const since = new Date(Date.now() - 60_000).toISOString();
  expect((await api.post(`${path}/replay`, { since, status: 'delivered' })).body).toEqual({
    ...{ replayed: 0, has_more: false },
  });
  expect((await api.post(`${path}/replay`, { since })).body).toEqual({ replayed: 1, has_more: false });
  const { rows } = await api.query<{ id: string }>(
    `select id from webhook_delivery where webhook_id = $1 and status = 'waiting'`,
    [id],
  );
  expect(rows.map((row) => row.id).sort()).toEqual([failed, delivered].sort());
  const later = new Date(Date.now() + 60_000).toISOString();
  expect((await api.post(`${path}/replay`, { since: later })).body.replayed).toBe(0);
  expect((await api.post(`${path}/deliveries/${id}/replay`)).status).toBe(404);
});

test('the 201 waits for changes that began before it and did not see the endpoint', async () => {
  const order: string[] = [];
  const earlier = new Client({ connectionString: api.databaseUrl });
  await earlier.connect();
  await earlier.query('begin');
  await earlier.query(`insert into lane (key, name) values ('earlier', 'smtp')`);
  const creating = create({ description: 'waits' }).then(() => order.push('201'));
  await until(
    async () => (await api.query(`select from webhook where description = 'waits'`)).rowCount === 1,
    { what: 'the endpoint to be committed' },
  );
  order.push('earlier change');
  await earlier.query('commit');
  await creating;
  await earlier.end();
  expect(order).toEqual(['earlier change', '201']);
});

test('there may be 50 endpoints', async () => {
  const many = await startApi();
  try {
    await many.query(
      `insert into webhook (id, url) select gen_random_uuid(), 'https://x.example' from generate_series(1, 50)`,
    );
    const { status, body } = await many.post('/api/v1/webhooks', { url });
    expect([status, body.errors[0].detail]).toEqual([422, expect.stringContaining('50 endpoints')]);
  } finally {
    await many[Symbol.asyncDispose]();
  }
});
