import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beat } from '../../relay/client/status/heartbeat.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
  // What a relay says of itself with every beat.
  await beat(api.database, {
    instance: randomUUID(),
    process: 'relay',
    report: {
      configured: true,
      missing: [],
      problems: [],
      delivery_mode: 'deliver',
      limits: { max_message_size: 1_000_000 },
      allowed_senders: ['hello@example.com', '*@shop.example.com'],
      from: 'hello@example.com',
      routes: [],
      secrets: {},
    },
  });
});
afterAll(() => api[Symbol.asyncDispose]());

const mail = (more: object = {}) => ({
  to: 'ann@example.com',
  subject: 'Your receipt',
  text: 'Thank you.',
  ...more,
});

const pointers = (body: { errors: { pointer: string }[] }) =>
  body.errors.map(({ pointer }) => pointer).sort();

async function countMails(): Promise<number> {
  const { rows } = await api.query<{ n: number }>('select count(*) as n from email');
  return rows[0]?.n ?? -1;
}

describe('sending', () => {
  test('more mails at once than the API has connections are all accepted, also when they are the first', async () => {
    await using fresh = await startApi();
    const answers = await Promise.all(Array.from({ length: 64 }, () => fresh.post('/api/v1/emails', mail())));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  });

  test('a mail is accepted with 202 and can be read with everything that was asked for', async () => {
    const { status, body, headers } = await api.post('/api/v1/emails', {
      from: { address: 'orders@shop.example.com', name: 'The Shop' },
      to: ['Ann Example <ann@example.com>', { address: 'bob@example.com' }],
      cc: 'carol@example.com',
      bcc: ['dave@example.com'],
      reply_to: 'help@example.com',
      subject: 'Ihre Bestellung – Grüße',
      text: 'Text',
      html: '<p>HTML</p>',
      headers: { 'X-Order': '4711' },
      list_unsubscribe: { url: 'https://shop.example.com/unsubscribe?u=1' },
      attachments: [
        { filename: 'a.txt', content: Buffer.from('hello').toString('base64'), content_type: 'text/plain' },
      ],
      on_uncertain: 'hold',
    });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/api/v1/emails/${body.id}`);
    const read = (await api.get(`/api/v1/emails/${body.id}`)).body;
    expect(read).toMatchObject({
      kind: 'single',
      status: 'pending',
      from: { address: 'orders@shop.example.com', name: 'The Shop' },
      to: [
        { address: 'ann@example.com', name: 'Ann Example' },
        { address: 'bob@example.com', name: null },
      ],
      cc: [{ address: 'carol@example.com' }],
      bcc: [{ address: 'dave@example.com' }],
      reply_to: [{ address: 'help@example.com' }],
      on_uncertain: 'hold',
      headers: [
        { name: 'X-Order', value: '4711' },
        { name: 'List-Unsubscribe', value: '<https://shop.example.com/unsubscribe?u=1>' },
        { name: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' },
      ],
    });
    const { rows } = await api.query<{ content: Buffer }>(
      'select content from email_attachment where email_id = $1',
      [body.id],
    );
    expect(rows[0]?.content.toString()).toBe('hello');
  });

  test('attachments arrive byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
    const attachments = [{ filename: 'all.bin', content: bytes.toString('base64') }];
    const { body } = await api.post('/api/v1/emails', mail({ attachments }));
    const { rows } = await api.query<{ content: Buffer }>(
      'select content from email_attachment where email_id = $1',
      [body.id],
    );
    expect(rows[0]?.content.equals(bytes)).toBe(true);
  });

  test('the default sender keeps its name, and a sender that is not allowed is refused with those that are', async () => {
    const { body } = await api.post('/api/v1/emails', mail({ from: 'hello@example.com' }));
    expect(body.from).toEqual({ address: 'hello@example.com', name: 'Example' });
    const refused = await api.post('/api/v1/emails', mail({ from: 'ceo@elsewhere.example' }));
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toEqual([
      expect.objectContaining({ pointer: '#/from', accepted: ['hello@example.com', '*@shop.example.com'] }),
    ]);
  });

  test('headers that belong to others, or would break out of their line, are refused by name', async () => {
    const before = await countMails();
    const { status, body } = await api.post(
      '/api/v1/emails',
      mail({
        headers: {
          Bcc: 'x@example.com',
          'X-Postern-Email': 'x',
          Received: 'x',
          'Return-Path': 'x',
          'X-Fine': 'line\r\nBcc: x@example.com',
          'X-Odd Name': 'x',
          'x-twice': '1',
          'X-Twice': '2',
        },
      }),
    );
    expect(status).toBe(422);
    expect(pointers(body)).toEqual([
      '#/headers/Bcc',
      '#/headers/Received',
      '#/headers/Return-Path',
      '#/headers/X-Fine',
      '#/headers/X-Odd%20Name',
      '#/headers/X-Postern-Email',
      '#/headers/X-Twice',
    ]);
    expect(await countMails()).toBe(before);
  });

  test('all faults of a mail are named at once, inside lists and unions too', async () => {
    const { body } = await api.post('/api/v1/emails', {
      to: ['ann@example.com', 'nobody', { address: 'also nobody', nmae: 'x' }],
      subject: 7,
      attachments: [{ filename: '../etc/passwd', content: 'not base64!' }],
      max_lateness: 'tomorrow',
      unknown: true,
    });
    expect(pointers(body)).toEqual([
      '#/attachments/0/content',
      '#/attachments/0/filename',
      '#/max_lateness',
      '#/subject',
      '#/text',
      '#/to/1',
      '#/to/2/address',
      '#/to/2/nmae',
      '#/unknown',
    ]);
  });

  test('a mail without anybody to go to, or without a body, is refused', async () => {
    expect(pointers((await api.post('/api/v1/emails', { subject: 'x', to: [] })).body)).toEqual([
      '#/text',
      '#/to',
    ]);
    const many = Array.from({ length: 30 }, (_, index) => `a${index}@example.com`);
    expect(pointers((await api.post('/api/v1/emails', mail({ to: many, cc: many }))).body)).toEqual(['#/to']);
  });

  test('a message larger than the relay takes is refused here, where it can be explained', async () => {
    const content = Buffer.alloc(800_000).toString('base64');
    const { status, body } = await api.post(
      '/api/v1/emails',
      mail({ attachments: [{ filename: 'a', content }] }),
    );
    expect(status).toBe(422);
    expect(body.errors[0]).toMatchObject({ pointer: '#/attachments', accepted: { maximum: 1_000_000 } });
  });
});

describe('scheduling a single mail', () => {
  const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

  test('it waits for its time, and its idempotency key lasts a day longer than that', async () => {
    const at = new Date(Date.now() + 30 * 86_400_000).toISOString();
    const headers = { 'idempotency-key': 'in-a-month' };
    const { status, body } = await api.post('/api/v1/emails', mail({ scheduled_datetime: at }), { headers });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      kind: 'scheduled',
      status: 'pending',
      scheduled_datetime: at,
      max_lateness: 'PT24H',
    });
    const { rows } = await api.query<{ lasts: boolean }>(
      `select keep_until >= $1::timestamptz + interval '24 hours' as lasts from idempotency_key where key = 'in-a-month'`,
      [at],
    );
    expect(rows).toEqual([{ lasts: true }]);
  });

  test('a local time beside its zone is kept as it was said', async () => {
    const { body } = await api.post(
      '/api/v1/emails',
      mail({ scheduled_datetime: '2040-07-01T09:00:00', time_zone: 'Europe/Berlin' }),
    );
    expect(body).toMatchObject({
      scheduled_datetime: '2040-07-01T07:00:00.000Z',
      time_zone: 'Europe/Berlin',
      local_datetime: '2040-07-01T09:00:00',
    });
  });

  test('a naive time, an unknown zone and a time in the past are refused by name', async () => {
    const cases = [
      { scheduled_datetime: '2040-07-01T09:00:00' },
      { scheduled_datetime: 'tomorrow at nine' },
      { scheduled_datetime: new Date(Date.now() - 6 * 60_000).toISOString() },
    ];
    for (const said of cases) {
      const { status, body } = await api.post('/api/v1/emails', mail(said));
      expect([status, pointers(body)]).toEqual([422, ['#/scheduled_datetime']]);
    }
    expect(
      (
        await api.post(
          '/api/v1/emails',
          mail({ scheduled_datetime: new Date(Date.now() - 60_000).toISOString() }),
        )
      ).status,
    ).toBe(202);
    expect(pointers((await api.post('/api/v1/emails', mail({ time_zone: 'Europe/Berlin' }))).body)).toEqual([
      '#/time_zone',
    ]);
  });

  test('it can be called back twice, and what was never there cannot', async () => {
    const { body } = await api.post('/api/v1/emails', mail({ scheduled_datetime: inAnHour() }));
    for (const _ of [1, 2]) {
      const cancelled = await api.post(`/api/v1/emails/${body.id}/cancel`);
      expect([cancelled.status, cancelled.body]).toEqual([200, { id: body.id, status: 'cancelled' }]);
    }
    expect((await api.post(`/api/v1/emails/${randomUUID()}/cancel`)).status).toBe(404);
  });
});

describe('batches', () => {
  test('each mail has its own answer: the good ones are committed, the others named', async () => {
    const before = await countMails();
    const { status, body } = await api.post('/api/v1/emails/batch', {
      emails: [
        mail(),
        { subject: 'nobody' },
        7,
        mail({ from: 'ceo@elsewhere.example' }),
        mail({ scheduled_datetime: '2001-01-01T00:00:00Z' }),
        mail({ subject: 'second' }),
      ],
    });
    expect(status).toBe(202);
    expect(body.data.map(({ index, status }: { index: number; status?: string }) => [index, status])).toEqual(
      [
        [0, 'pending'],
        [1, undefined],
        [2, undefined],
        [3, undefined],
        [4, undefined],
        [5, 'pending'],
      ],
    );
    expect(pointers(body.data[1])).toEqual(['#/text', '#/to']);
    expect(pointers(body.data[4])).toEqual(['#/scheduled_datetime']);
    expect(await countMails()).toBe(before + 2);
    expect((await api.get(`/api/v1/emails/${body.data[5].id}`)).body.subject).toBe('second');
  });

  test('more than a hundred are refused as a whole', async () => {
    const { status } = await api.post('/api/v1/emails/batch', { emails: Array(101).fill(mail()) });
    expect(status).toBe(422);
  });
});

describe('finding', () => {
  test('mails are found by status, kind, recipient, subject, customer and time, alone and together', async () => {
    const made = await api.post(
      '/api/v1/emails',
      mail({ subject: 'Needle 100%', bcc: 'Hidden@example.com' }),
    );
    const later = new Date(Date.now() + 60_000).toISOString();
    const finds = async (query: string) => {
      const { status, body } = await api.get(`/api/v1/emails?${query}`);
      expect(status).toBe(200);
      return body.data.some(({ id }: { id: string }) => id === made.body.id);
    };
    const yes = [
      'q=needle',
      'q=100%25',
      'recipient=hidden@example.com&status=pending,held',
      'kind=single&q=Needle',
    ];
    for (const query of yes) expect([query, await finds(`limit=100&${query}`)]).toEqual([query, true]);
    const no = [
      'q=needle&status=sent',
      `created_from=${later}`,
      `customer_id=${randomUUID()}&q=needle`,
      'client_id=x',
    ];
    for (const query of no) expect([query, await finds(`limit=100&${query}`)]).toEqual([query, false]);
  });

  test('pages follow each other without gap or repetition', async () => {
    for (let index = 0; index < 5; index++) await api.post('/api/v1/emails', mail({ subject: 'Paged' }));
    const seen: string[] = [];
    let next: string | null = null;
    do {
      const { body } = await api.get(`/api/v1/emails?q=Paged&limit=2${next ? `&after=${next}` : ''}`);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      next = body.next;
    } while (next);
    expect(seen).toHaveLength(5);
    expect(seen).toEqual([...new Set(seen)].sort().reverse());
  });

  test('filters that make no sense are refused by name', async () => {
    const { status, body } = await api.get(
      '/api/v1/emails?status=delivered&created_from=yesterday&colour=red',
    );
    expect([status, pointers(body)]).toEqual([422, ['#/colour', '#/created_from', '#/status']]);
  });
});

describe('retrying and resolving', () => {
  test('what is over or on its way is not tried again, what is held is', async () => {
    const { body } = await api.post('/api/v1/emails', mail());
    await api.query(
      `update email set status = 'held', reason = 'relay-refused', next_hand_over_at = null where id = $1`,
      [body.id],
    );
    const retried = await api.post(`/api/v1/emails/${body.id}/retry`);
    expect([retried.status, retried.body.status]).toEqual([200, 'pending']);
    await api.post(`/api/v1/emails/${body.id}/cancel`);
    const late = await api.post(`/api/v1/emails/${body.id}/retry`);
    expect([late.status, late.body.type, late.body.current_status]).toEqual([
      409,
      '/problems/email-state',
      'cancelled',
    ]);
  });

  test('only what is uncertain is resolved', async () => {
    const { body } = await api.post('/api/v1/emails', mail());
    const { status } = await api.post(`/api/v1/emails/${body.id}/resolve`, { outcome: 'sent' });
    expect(status).toBe(409);
    expect((await api.post(`/api/v1/emails/${body.id}/resolve`, { outcome: 'lost' })).status).toBe(422);
  });
});
