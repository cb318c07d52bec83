// The mount for the client, asked as its code asks: with headers and bodies read from there, not with the client itself,
// which test/api/resend/client.test.ts drives.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beat } from '../../../relay/client/status/heartbeat.ts';
import { type Api, startApi } from '../in-process.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api[Symbol.asyncDispose]());

const mail = { from: 'hello@example.com', to: 'ann@example.com', subject: 'Hi', html: '<p>Hi</p>' };
const send = (more: object = {}, headers: Record<string, string> = {}) =>
  api.post('/resend/emails', { ...mail, ...more }, { headers });
const read = async (id: string) => (await api.get(`/resend/emails/${id}`)).body;
const countMails = async () =>
  (await api.query<{ count: number }>('select count(*)::integer as count from email')).rows[0]?.count;

describe('a mail', () => {
  test('is taken, and told in the words of the client', async () => {
    const { status, body, headers } = await send({
      to: ['"Acme, Inc." <a@example.com>', 'b@example.com'],
      cc: 'c@example.com',
      bcc: ['d@example.com'],
      reply_to: 'Ann <ann@example.com>',
      text: 'Hi',
      tags: [{ name: 'category', value: 'confirm_email' }],
    });
    expect({ status, body }).toEqual({ status: 200, body: { id: expect.any(String) } });
    expect(headers.get('location')).toBeNull();
    expect(await read(body.id)).toEqual({
      object: 'email',
      id: body.id,
      message_id: expect.stringMatching(/^<.+>$/),
      from: 'Example <hello@example.com>',
      to: ['"Acme, Inc." <a@example.com>', 'b@example.com'],
      cc: ['c@example.com'],
      bcc: ['d@example.com'],
      reply_to: ['Ann <ann@example.com>'],
      subject: 'Hi',
      html: '<p>Hi</p>',
      text: 'Hi',
      tags: [{ name: 'category', value: 'confirm_email' }],
      created_at: expect.any(String),
      last_event: 'queued',
      scheduled_at: null,
    });
    // One engine: the API has the same mail.
    expect((await api.get(`/api/v1/emails/${body.id}`)).body).toMatchObject({ kind: 'single' });
  });

  test('goes to the address of the first versions of the client too', async () => {
    const { status, body } = await api.post('/resend/email', mail);
    expect(status).toBe(200);
    expect(await read(body.id)).toMatchObject({ subject: 'Hi' });
  });

  test('may say with an empty text that it has only HTML', async () => {
    expect(await read((await send({ text: '' })).body.id)).toMatchObject({ text: null });
  });

  test('keeps its files, whether they are base64, a Buffer as JSON writes it, or without a name', async () => {
    const content = Buffer.from('%PDF-1.7');
    const { status, body } = await send({
      attachments: [
        { filename: 'a.pdf', content: content.toString('base64') },
        { filename: false, content: content.toJSON(), inline_content_id: 'logo' },
        { content: content.toString('base64'), content_type: 'image/png', content_id: 'other' },
      ],
    });
    expect(status).toBe(200);
    const { rows } = await api.query(
      `select filename, content_type, content_id, content from email_attachment
       where email_id = $1 order by ordinal`,
      [body.id],
    );
    expect(rows).toEqual([
      { filename: 'a.pdf', content_type: 'application/pdf', content_id: null, content },
      { filename: 'attachment-2', content_type: 'application/octet-stream', content_id: 'logo', content },
      { filename: 'attachment-3', content_type: 'image/png', content_id: 'other', content },
    ]);
  });

  test.each([
    ['pending', 'queued'],
    ['queued', 'queued'],
    ['sending', 'queued'],
    ['deferred', 'delivery_delayed'],
    ['held', 'delivery_delayed'],
    ['uncertain', 'delivery_delayed'],
    ['sent', 'sent'],
    ['bounced', 'bounced'],
    ['expired', 'failed'],
    ['cancelled', 'canceled'],
    ['suppressed', 'suppressed'],
    ['captured', 'queued'],
  ])('that is %s has the last event %s', async (status, expected) => {
    const { lastEventOf } = await import('../../../api/resend/email-answer.ts');
    expect(lastEventOf({ kind: 'single', status: status as 'sent' })).toBe(expected);
  });
});

describe('a time', () => {
  test('in words is told back as an instant, and leaves the mail scheduled', async () => {
    const { body } = await send({ scheduled_at: 'in 1 hour' });
    const inMs = Date.parse(body.scheduled_at) - Date.now();
    expect(inMs).toBeGreaterThan(3_500_000);
    expect(inMs).toBeLessThan(3_700_000);
    expect(await read(body.id)).toMatchObject({
      last_event: 'scheduled',
      scheduled_at: body.scheduled_at,
    });
  });

  test('may be changed, and the mail then be cancelled, by a POST without a body', async () => {
    const { id } = (await send({ scheduled_at: '2040-01-01T09:00:00Z' })).body;
    const changed = await api.patch(`/resend/emails/${id}`, { scheduled_at: '2040-01-02T09:00:00+01:00' });
    expect(changed).toMatchObject({
      status: 200,
      body: { object: 'email', id, scheduled_at: '2040-01-02T08:00:00.000Z' },
    });
    const cancelled = await api.ask('POST', `/resend/emails/${id}/cancel`, {
      headers: { 'content-type': 'application/json' },
    });
    expect(cancelled).toMatchObject({ status: 200, body: { object: 'email', id } });
    expect(await read(id)).toMatchObject({ last_event: 'canceled' });
    const late = await api.patch(`/resend/emails/${id}`, { scheduled_at: 'in 1 hour' });
    expect(late).toMatchObject({ status: 409, body: { name: 'validation_error', statusCode: 409 } });
    expect(await api.patch(`/resend/emails/${id}`, {})).toMatchObject({
      status: 422,
      body: { name: 'missing_required_field', message: 'scheduled_at is required.' },
    });
  });

  test.each(['soon', '2040-01-01', '2040-01-01T09:00:00', 'tomorrow at 9am EST'])(
    'that cannot be read, such as %s, is refused and nothing is sent',
    async (scheduled_at) => {
      const before = await countMails();
      const { status, body } = await send({ scheduled_at });
      expect(status).toBe(422);
      expect(body).toMatchObject({
        name: 'validation_error',
        message: expect.stringMatching(/^scheduled_at cannot be read: .*"in 1 hour"/),
        errors: [{ pointer: '#/scheduled_at' }],
      });
      expect(await countMails()).toBe(before);
    },
  );

  test('that is past is refused by its name', async () => {
    expect((await send({ scheduled_at: '2020-01-01T09:00:00Z' })).body.message).toMatch(
      /^scheduled_at is more than 5 minutes in the past/,
    );
  });
});

describe('a batch', () => {
  const batch = (mails: unknown, validation?: string, key?: string) =>
    api.post('/resend/emails/batch', mails, {
      headers: {
        ...(validation && { 'x-batch-validation': validation }),
        ...(key && { 'idempotency-key': key }),
      },
    });

  test('is a bare list, and answers the ids in its order', async () => {
    const { status, body } = await batch([mail, { ...mail, subject: 'Second', scheduled_at: 'in 1 day' }]);
    expect({ status, body }).toEqual({
      status: 200,
      body: { data: [{ id: expect.any(String) }, { id: expect.any(String) }] },
    });
    expect(await read(body.data[1].id)).toMatchObject({ subject: 'Second', last_event: 'scheduled' });
  });

  test.each([undefined, 'strict'])('is all or none when validation is %s', async (validation) => {
    const before = await countMails();
    const { status, body } = await batch([mail, { ...mail, scheduled_at: 'soon' }], validation);
    expect(status).toBe(422);
    expect(body).toMatchObject({
      name: 'validation_error',
      errors: [{ pointer: '#/1/scheduled_at' }],
    });
    expect(await countMails()).toBe(before);
  });

  test('sends what it can when it is permissive, and names the others', async () => {
    const { status, body } = await batch([{ ...mail, to: 'nobody' }, mail], 'permissive', 'permissive-1');
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        data: [{ id: expect.any(String) }],
        errors: [{ index: 0, message: expect.stringMatching(/^to /) }],
      },
    });
    const again = await batch([{ ...mail, to: 'nobody' }, mail], 'permissive', 'permissive-1');
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(body);
  });

  test('of more than 100 is refused', async () => {
    expect(await batch(Array.from({ length: 101 }, () => mail))).toMatchObject({
      status: 422,
      body: { name: 'validation_error' },
    });
  });
});

describe('an Idempotency-Key', () => {
  test('of 256 characters is taken, and repeats answer the same', async () => {
    const key = { 'idempotency-key': 'k'.repeat(256) };
    const first = await send({}, key);
    const again = await send({}, key);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await send({ subject: 'Another' }, key)).toMatchObject({
      status: 409,
      body: { statusCode: 409, name: 'invalid_idempotent_request' },
    });
  });

  test('of 257 characters is refused', async () => {
    expect(await send({}, { 'idempotency-key': 'k'.repeat(257) })).toMatchObject({
      status: 400,
      body: { statusCode: 400, name: 'invalid_idempotency_key', status: 400 },
    });
  });
});

describe('a list', () => {
  test('goes back and forth by the ids of its mails', async () => {
    const ids: string[] = [];
    for (const subject of ['1', '2', '3', '4']) ids.unshift((await send({ subject })).body.id);
    const page = async (query: string) => {
      const { body } = await api.get(`/resend/emails?${query}`);
      expect(body.object).toBe('list');
      return { more: body.has_more, ids: body.data.map(({ id }: { id: string }) => id) };
    };
    expect(await page('limit=2')).toEqual({ more: true, ids: ids.slice(0, 2) });
    expect(await page(`limit=2&after=${ids[1]}`)).toEqual({ more: true, ids: ids.slice(2) });
    expect(await page(`limit=2&before=${ids[3]}`)).toEqual({ more: true, ids: ids.slice(1, 3) });
    expect(await page(`limit=2&before=${ids[1]}`)).toEqual({ more: false, ids: ids.slice(0, 1) });
  });

  test.each([
    'limit=0',
    'limit=101',
    'after=x',
    'unknown=1',
    `after=${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}&before=00000000-0000-7000-8000-000000000000`,
  ])('refuses %s', async (query) => {
    expect(await api.get(`/resend/emails?${query}`)).toMatchObject({
      status: 422,
      body: { name: 'invalid_parameter' },
    });
  });
});

describe('an error', () => {
  const cases: [string, () => ReturnType<typeof api.get>, number, string, RegExp][] = [
    ['without a key', () => api.get('/resend/emails', { key: null }), 401, 'missing_api_key', /API key/],
    [
      'with a wrong key',
      () => api.get('/resend/emails', { key: 're_wrong' }),
      403,
      'invalid_api_key',
      /not valid/,
    ],
    [
      'of a mail that is not there',
      () => api.get('/resend/emails/0197e4a6-0000-7000-8000-000000000000'),
      404,
      'not_found',
      /not found/,
    ],
    ['of an id that is none', () => api.get('/resend/emails/4711'), 404, 'not_found', /./],
    [
      'of an address that is none',
      () => api.get('/resend/elsewhere'),
      404,
      'not_found',
      /\/resend\/elsewhere/,
    ],
    ['of a method that is none', () => api.put('/resend/emails', {}), 405, 'method_not_allowed', /PUT/],
    [
      'of no JSON',
      () => api.ask('POST', '/resend/emails', { raw: '{', headers: { 'content-type': 'application/json' } }),
      400,
      'validation_error',
      /JSON/,
    ],
    [
      'of a missing field',
      () => api.post('/resend/emails', { ...mail, subject: undefined }),
      422,
      'missing_required_field',
      /subject is required/,
    ],
    [
      'of a header that must not be set',
      () => send({ headers: { 'DKIM-Signature': 'x' } }),
      422,
      'validation_error',
      /^headers\/DKIM-Signature cannot be set/,
    ],
    [
      'of several fields',
      () => send({ to: 'nobody', headers: { Sender: 'x' } }),
      422,
      'validation_error',
      /^2 fields are not valid: to .*; headers\/Sender cannot be set/,
    ],
    [
      'of a template',
      () => send({ template: { id: 'welcome' } }),
      422,
      'validation_error',
      /^template is not supported here: put the finished/,
    ],
    ['of a topic', () => send({ topic_id: 'news' }), 422, 'validation_error', /^topic_id is not supported/],
    [
      'of an attachment',
      () => send({ attachments: [{ filename: 'a.pdf', content: '%' }] }),
      422,
      'invalid_attachment',
      /^attachments\/0\/content/,
    ],
  ];

  test.each(cases)('%s is told in the shape of the client', async (_, ask, status, name, message) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.body).toMatchObject({
      statusCode: status,
      name,
      message: expect.stringMatching(message),
      // The members of the problem stand beside.
      type: expect.stringMatching(/^\/problems\//),
      status,
      instance: expect.any(String),
    });
  });

  test('of a key that may not send is a restricted key', async () => {
    const { body } = await api.post('/api/v1/keys', { name: 'Reader', scopes: ['read'] });
    expect(await api.post('/resend/emails', mail, { key: body.secret })).toMatchObject({
      status: 401,
      body: { name: 'restricted_api_key' },
    });
  });

  test('of the mail of another key is that there is none', async () => {
    const { id } = (await send({ scheduled_at: 'in 1 hour' })).body;
    const { body: other } = await api.post('/api/v1/keys', { name: 'Other', scopes: ['send'] });
    const key = { key: other.secret };
    const answers = [
      await api.get(`/resend/emails/${id}`, key),
      await api.get(`/resend/emails/${id}/attachments`, key),
      await api.patch(`/resend/emails/${id}`, { scheduled_at: 'in 2 hours' }, key),
      await api.post(`/resend/emails/${id}/cancel`, undefined, key),
    ];
    for (const { status, body } of answers) expect([status, body.name]).toEqual([404, 'not_found']);
    expect((await api.get('/resend/emails', key)).body.data).toEqual([]);
    expect(await read(id)).toMatchObject({ last_event: 'scheduled' });
  });

  test('of a sender that is not allowed names those that are', async () => {
    await beat(api.database, {
      instance: randomUUID(),
      process: 'relay',
      report: { ...relay, allowed_senders: ['hello@example.com'] },
    });
    await using other = await startApi({ url: api.databaseUrl });
    expect(
      await other.post('/resend/emails', { ...mail, from: 'Ann <ann@elsewhere.example>' }),
    ).toMatchObject({
      status: 403,
      body: {
        name: 'invalid_from_address',
        message: 'from is not an allowed sender; allowed are hello@example.com.',
        errors: [{ accepted: ['hello@example.com'] }],
      },
    });
  });
});

// What a relay says of itself with every beat.
const relay = {
  configured: true,
  missing: [],
  problems: [],
  delivery_mode: 'deliver',
  limits: { max_message_size: 1_000_000 },
  from: 'hello@example.com',
  routes: [],
  secrets: {},
};
