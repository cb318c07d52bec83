// The suppression list over HTTP.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const path = (address: string) => `/api/v1/suppressions/${encodeURIComponent(address)}`;

test('an address is put on the list, shown as given, and taken off', async () => {
  const first = await api.post('/api/v1/suppressions', { address: 'Ann@Example.com', note: 'asked' });
  expect([first.status, first.body]).toEqual([
    201,
    {
      ...{
        address: 'Ann@Example.com',
        stream: null,
        reason: 'manual',
        source: 'api',
        cause: null,
        reply: null,
      },
      ...{ source_email_id: null, source_queue_id: null },
      ...{ id: expect.any(String), note: 'asked', created_at: expect.any(String), expires_at: null },
    },
  ]);
  const again = await api.post('/api/v1/suppressions', { address: 'ann@EXAMPLE.com', reason: 'complaint' });
  expect([again.status, again.body]).toEqual([200, first.body]);
  expect((await api.get(path('ANN@example.com'))).body).toEqual(first.body);
  expect((await api.get('/api/v1/suppressions?reason=manual')).body.data).toContainEqual(first.body);
  expect((await api.get('/api/v1/suppressions?reason=bounce,complaint')).body.data).toEqual([]);
  expect((await api.delete(path('ann@example.com'))).status).toBe(204);
  expect((await api.delete(path('ann@example.com'))).status).toBe(404);
  expect((await api.get(path('ann@example.com'))).status).toBe(404);
});

test('every fault is named', async () => {
  const { status, body } = await api.post('/api/v1/suppressions', {
    ...{ address: 'nobody', reason: 'spam', note: 'x'.repeat(501), expires_at: 'soon', stream_id: 'x' },
  });
  const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer).sort();
  expect([status, pointers]).toEqual([
    422,
    ['#/address', '#/expires_at', '#/note', '#/reason', '#/stream_id'],
  ]);
  const past = await api.post('/api/v1/suppressions', {
    ...{ address: 'a@example.com', expires_at: '2020-01-01T00:00:00Z' },
  });
  expect(past.body.errors[0].pointer).toBe('#/expires_at');
});

test('an entry for one stream stands beside the one for all mail', async () => {
  const address = 'streams@example.com';
  const add = (body: object) => api.post('/api/v1/suppressions', { address, ...body });
  expect((await add({ stream: 'news', reason: 'unsubscribe' })).body).toMatchObject({ stream: 'news' });
  expect((await add({ stream: 'news' })).status).toBe(200);
  // Somebody asks why, and knows of no streams.
  expect((await api.get(path(address))).body).toMatchObject({ stream: 'news', reason: 'unsubscribe' });
  // Who takes it off for all mail does not undo what the person asked for.
  expect((await api.delete(path(address))).status).toBe(404);
  expect((await add({ reason: 'manual' })).status).toBe(201);
  expect((await api.get(path(address))).body).toMatchObject({ stream: null });
  expect((await api.get(`${path(address)}?stream=news`)).body).toMatchObject({ stream: 'news' });
  const listed = async (query: string) =>
    (await api.get(`/api/v1/suppressions?${query}`)).body.data.map(
      ({ stream }: { stream: string }) => stream,
    );
  expect(await listed('stream=news')).toEqual(['news']);
  expect(await listed('source=reply,report')).toEqual([]);
  expect((await api.delete(`${path(address)}?stream=news`)).status).toBe(204);
  expect((await api.get(`${path(address)}?stream=news`)).body.detail).toContain('for the stream news');
  expect((await api.delete(path(address))).status).toBe(204);
});

test('an entry that is over may be made again', async () => {
  const address = 'over@example.com';
  await api.post('/api/v1/suppressions', { address, expires_at: '2035-01-01T00:00:00Z' });
  await api.query(`update suppression set expires_at = now() - interval '1 day'`);
  expect((await api.get(path(address))).status).toBe(404);
  expect((await api.post('/api/v1/suppressions', { address })).status).toBe(201);
});

test('who may read may look, and only an admin may change', async () => {
  const { body: key } = await api.post('/api/v1/keys', { name: 'Reader', scopes: ['read'] });
  const as = { key: key.secret };
  expect((await api.get('/api/v1/suppressions', as)).status).toBe(200);
  expect((await api.post('/api/v1/suppressions', { address: 'a@example.com' }, as)).status).toBe(403);
  expect((await api.delete(path('a@example.com'), as)).status).toBe(403);
});

test('a person who was erased stays on the list, without the address', async () => {
  const address = 'forgotten@bücher.example';
  await api.post('/api/v1/suppressions', { address, note: `${address} asked` });
  expect((await api.delete(`/api/v1/recipients/${encodeURIComponent(address)}`)).status).toBe(200);
  const { rows } = await api.query<{ row: string }>(`select suppression::text as row from suppression`);
  expect(rows.map(({ row }) => row).join()).not.toContain('forgotten');
  expect(
    (await api.get('/api/v1/suppressions?limit=100')).body.data.map(
      (each: { address: string }) => each.address,
    ),
  ).not.toContain(address);
  const { rows: found } = await api.query('select suppression_of($1) as reason', [
    'Forgotten@xn--bcher-kva.example',
  ]);
  expect(found).toEqual([{ reason: 'manual' }]);
});
