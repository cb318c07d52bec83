// Suppressions, webhooks, keys and domains in the shapes of the client, and what it is refused.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, startApi } from '../in-process.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api[Symbol.asyncDispose]());

const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/);
const get = async (path: string) => (await api.get(`/resend${path}`)).body;
const post = async (path: string, body?: unknown) => (await api.post(`/resend${path}`, body)).body;

test('suppressions are added, listed, found by id or address, and removed, one by one or many at once', async () => {
  const { id } = await post('/suppressions', { email: 'Gone@example.com' });
  const entry = {
    id,
    email: 'Gone@example.com',
    origin: 'manual',
    source_id: null,
    created_at: expect.any(String),
  };
  expect(await get('/suppressions?limit=5')).toEqual({ object: 'list', has_more: false, data: [entry] });
  expect(await get('/suppressions?origin=bounce')).toMatchObject({ data: [] });
  expect(await get('/suppressions/gone%40example.com')).toEqual({ object: 'suppression', ...entry });
  expect(await get(`/suppressions/${id}`)).toEqual({ object: 'suppression', ...entry });
  const removed = await api.delete(`/resend/suppressions/${id}`);
  expect(removed).toMatchObject({ status: 200, body: { object: 'suppression', id, deleted: true } });
  expect(await get(`/suppressions/${id}`)).toMatchObject({ name: 'not_found' });

  await api.post('/api/v1/suppressions', { address: 'news@example.com', stream: 'news' });
  const [news] = (await get('/suppressions')).data;
  expect(news).toMatchObject({ email: 'news@example.com', stream: 'news' });
  expect((await api.delete(`/resend/suppressions/${news.id}`)).body).toMatchObject({ deleted: true });

  const { data } = await post('/suppressions/batch/add', { emails: ['a@example.com', 'b@example.com'] });
  expect(data).toEqual([
    { object: 'suppression', id: uuid },
    { object: 'suppression', id: uuid },
  ]);
  expect(await post('/suppressions/batch/remove', { emails: ['a@example.com', 'c@example.com'] })).toEqual({
    data: [
      { object: 'suppression', id: 'a@example.com', deleted: true },
      { object: 'suppression', id: 'c@example.com', deleted: false },
    ],
  });
  expect(await post('/suppressions/batch/remove', { ids: [data[1].id] })).toMatchObject({
    data: [{ deleted: true }],
  });
  const faulty = await post('/suppressions/batch/add', { emails: ['d@example.com', 'nobody'] });
  expect(faulty).toMatchObject({ name: 'validation_error', errors: [{ pointer: '#/emails/1' }] });
  expect(await get('/suppressions')).toMatchObject({ data: [] });
  expect(await get('/suppressions?origin=whim')).toMatchObject({
    name: 'invalid_parameter',
    errors: [{ pointer: '#/origin' }],
  });
});

describe('webhooks', () => {
  const endpoint = 'https://shop.example.com/hooks/mail';

  test('are made, told by the names under which events arrive, changed, rotated and removed', async () => {
    const made = await post('/webhooks', {
      endpoint,
      events: ['email.sent', 'email.delivery_delayed', 'email.failed', 'email.bounced'],
    });
    expect(made).toEqual({
      object: 'webhook',
      id: uuid,
      signing_secret: expect.stringMatching(/^whsec_/),
    });
    const { id } = made;
    const shown = {
      id,
      endpoint,
      status: 'enabled',
      created_at: expect.any(String),
      events: ['email.sent', 'email.deferred', 'email.expired', 'email.bounced'],
    };
    expect(await get('/webhooks')).toEqual({ object: 'list', has_more: false, data: [shown] });
    expect(await get(`/webhooks/${id}`)).toEqual({ object: 'webhook', ...shown });
    const changed = await api.patch(`/resend/webhooks/${id}`, { status: 'disabled' });
    expect(changed).toMatchObject({ status: 200, body: { object: 'webhook', id } });
    expect(await get(`/webhooks/${id}`)).toMatchObject({ status: 'disabled' });
    expect((await api.patch(`/resend/webhooks/${id}`, { status: 'away' })).body).toMatchObject({
      message: 'status must be enabled or disabled.',
    });
    const rotated = await post(`/webhooks/${id}/signing-secret/rotate`);
    expect(rotated.signing_secret).not.toBe(made.signing_secret);
    expect((await api.delete(`/resend/webhooks/${id}`)).body).toEqual({
      object: 'webhook',
      id,
      deleted: true,
    });
    expect(await get(`/webhooks/${id}`)).toMatchObject({ name: 'not_found' });
  });

  test('list their events, and deliver one again', async () => {
    const { id } = await post('/webhooks', { endpoint, events: ['suppression.added'] });
    await post('/suppressions', { email: 'hook@example.com' });
    const { data } = await get(`/webhooks/${id}/events`);
    expect(data).toEqual([
      { id: uuid, type: 'suppression.added', created_at: expect.any(String), status: 'pending' },
    ]);
    const event = data[0].id;
    expect(await post(`/webhooks/${id}/events/${event}/replay`)).toEqual({
      object: 'webhook_event',
      id: event,
    });
  });

  test.each(['email.delivered', 'email.opened', 'email.clicked', 'email.received', 'email.scheduled'])(
    'are refused for %s, which is never sent',
    async (event) => {
      expect(await post('/webhooks', { endpoint, events: ['email.sent', event] })).toMatchObject({
        statusCode: 422,
        message: expect.stringMatching(/^events\/1 is never sent: /),
      });
    },
  );
});

test('keys are made with the permissions of the client, listed, renamed and revoked', async () => {
  const made = await post('/api-keys', {
    name: 'Shop',
    permission: 'sending_access',
    domain_id: 'example.com',
  });
  expect(made).toEqual({ id: uuid, token: expect.stringMatching(/^postern_/) });
  const mail = { from: 'a@example.com', to: 'ann@example.com', subject: 'Hi', text: 'Hi' };
  expect((await api.post('/resend/emails', mail, { key: made.token })).status).toBe(200);
  const foreign = await api.post('/resend/emails', { ...mail, from: 'a@other.example' }, { key: made.token });
  expect(foreign).toMatchObject({ status: 403, body: { name: 'invalid_from_address' } });
  expect((await api.get('/resend/api-keys', { key: made.token })).body).toMatchObject({
    name: 'restricted_api_key',
  });
  expect((await api.patch(`/resend/api-keys/${made.id}`, { name: 'Store' })).body).toEqual({
    object: 'api_key',
    id: made.id,
  });
  const { data } = await get('/api-keys');
  expect(data[0]).toMatchObject({ id: made.id, name: 'Store', revoked_at: null });
  expect((await api.delete(`/resend/api-keys/${made.id}`)).body).toEqual({
    object: 'api_key',
    id: made.id,
    deleted: true,
  });
  expect((await api.post('/resend/emails', mail, { key: made.token })).status).toBe(403);
  expect(await post('/api-keys', { name: 'X', permission: 'some' })).toMatchObject({
    message: 'permission must be full_access or sending_access.',
  });
});

test('domains are read, with the records that are to be published', async () => {
  const finding = { title: 'No SPF', fix: 'Publish it.', evidence: [], cause: 'spf-missing' };
  const record = { name: 'example.com', type: 'TXT', value: 'v=spf1 -all', host: '@' };
  await api.query(
    `insert into sender_domain (domain, result, findings, checked_at) values ('example.com', 'fail', $1, now())`,
    [JSON.stringify([{ ...finding, check: 'spf', result: 'fail', record }])],
  );
  const domain = { id: 'example.com', name: 'example.com', status: 'failed' };
  expect(await get('/domains')).toMatchObject({ object: 'list', has_more: false, data: [domain] });
  expect(await get('/domains/example.com')).toMatchObject({
    object: 'domain',
    ...domain,
    records: [{ record: 'SPF', type: 'TXT', name: 'example.com', value: 'v=spf1 -all', status: 'failed' }],
  });
  expect(await get('/domains/other.example')).toMatchObject({ name: 'not_found' });
});

test.each([
  ['POST', '/broadcasts', /keep newsletters/],
  ['GET', '/audiences/1/contacts', /keep newsletters/],
  ['POST', '/contacts', /keep newsletters/],
  ['GET', '/segments', /keep newsletters/],
  ['POST', '/events/send', /keep newsletters/],
  ['POST', '/templates/welcome/publish', /Put the finished subject/],
  ['GET', '/topics', /suppression list/],
  ['GET', '/usage', /GET \/metrics/],
  ['GET', '/logs', /timeline/],
  ['GET', '/oauth/grants', /api-keys/],
  ['GET', '/inboxes', /receives no mail/],
  ['GET', '/emails/receiving/1/attachments', /receives no mail/],
  ['GET', '/emails/metrics?metrics=sent', /GET \/metrics/],
  ['POST', '/emails/0197e4a6-0000-7000-8000-000000000000/share', /dashboard/],
  ['POST', '/domains', /SMTP_ALLOWED_SENDERS/],
  ['POST', '/domains/example.com/verify', /SMTP_ALLOWED_SENDERS/],
  ['DELETE', '/domains/example.com', /SMTP_ALLOWED_SENDERS/],
])('%s %s is refused with what to use instead', async (method, path, message) => {
  const { status, body } = await api.ask(method, `/resend${path}`);
  expect({ status, body }).toMatchObject({
    status: 501,
    body: { statusCode: 501, name: 'application_error', message: expect.stringMatching(message) },
  });
});
