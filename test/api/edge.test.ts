// What surrounds every operation: keys, scopes, idempotency, rate limits, bodies that are none, and outages.
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownPostgres } from '../kit/database.ts';
import { withinOneMinute } from '../kit/minute.ts';
import { until } from '../kit/until.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

let counter = 0;
const newcomer = () => {
  counter++;
  return { name: `Shop ${counter}`, email: `shop${counter}@example.com`, sendInvitation: true };
};

async function keyWith(scopes: string[], more: object = {}) {
  const { body } = await api.post('/api/v1/keys', { name: 'Test', scopes, ...more });
  return body as { id: string; secret: string; ending: string };
}

describe('keys', () => {
  test('without a key, with a wrong one and with a revoked one the answer is 401 and does not say which half was wrong', async () => {
    const revoked = await keyWith(['admin']);
    expect((await api.get('/api/customers', { key: revoked.secret })).status).toBe(200);
    await api.delete(`/api/v1/keys/${revoked.id}`);

    const wrong = await api.get('/api/customers', { key: 'wrong' });
    const dead = await api.get('/api/customers', { key: revoked.secret });
    for (const reply of [wrong, dead]) {
      expect(reply.status).toBe(401);
      expect(reply.headers.get('www-authenticate')).toContain('Bearer');
    }
    expect({ ...wrong.body, instance: '' }).toEqual({ ...dead.body, instance: '' });
    expect((await api.get('/api/customers', { key: null })).body.type).toBe('/problems/unauthenticated');
    const basic = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` };
    expect((await api.get('/api/customers', { key: null, headers: basic })).status).toBe(401);
  });

  test('a key is shown once and stored as a digest', async () => {
    const { secret, id } = await keyWith(['send']);
    const { text } = await api.get('/api/v1/keys');
    expect(text).toContain(id);
    expect(text).not.toContain(secret);
    const { rows } = await api.query<{ row: string }>(
      'select api_key::text as row from api_key where id = $1',
      [id],
    );
    expect(rows[0]?.row).not.toContain(secret);
    expect(rows[0]?.row).not.toContain(Buffer.from(secret).toString('hex'));
  });

  test('scopes hold: read reads, but neither creates customers nor sees bodies', async () => {
    const { secret } = await keyWith(['read']);
    const { body } = await api.post('/api/customers', newcomer());
    const mail = `/api/v1/emails/${body.invitation.email_id}`;
    const seen = await api.get(mail, { key: secret });
    expect(seen.status).toBe(200);
    expect(seen.body).not.toHaveProperty('text');
    expect(seen.text).not.toContain('#token=');
    expect((await api.get(mail)).text).toContain('#token=');

    const refused = await api.post('/api/customers', newcomer(), { key: secret });
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({ type: '/problems/forbidden', needed: 'admin', granted: ['read'] });
  });
});

describe('idempotency', () => {
  test('fifty requests with one key at once make one customer and one mail, and all that answer answer the same', async () => {
    const asked = newcomer();
    const headers = { 'idempotency-key': 'fifty at once'.replaceAll(' ', '-') };
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => api.post('/api/customers', asked, { headers })),
    );
    expect(new Set(replies.map(({ status }) => status)).isSubsetOf(new Set([201, 409]))).toBe(true);
    const made = replies.filter(({ status }) => status === 201);
    expect(new Set(made.map(({ body }) => body.customer.id)).size).toBe(1);
    expect(made.filter(({ headers }) => !headers.has('idempotency-replayed'))).toHaveLength(1);
    for (const { status, body, headers } of replies) {
      if (status === 409) {
        expect(body.type).toBe('/problems/request-running');
        expect(headers.get('retry-after')).toBe('1');
      }
    }
    const { rows } = await api.query<{ customers: number; emails: number }>(
      `select (select count(*) from customer where email = $1) as customers,
         (select count(*) from email e join customer c on c.id = e.customer_id where c.email = $1) as emails`,
      [asked.email],
    );
    expect(rows[0]).toEqual({ customers: 1, emails: 1 });
  });

  test('the same key and body replay the stored answer byte by byte, also when the members come in another order', async () => {
    const asked = newcomer();
    const headers = { 'idempotency-key': 'replay' };
    const first = await api.post('/api/customers', asked, { headers });
    const again = await api.post('/api/customers', Object.fromEntries(Object.entries(asked).reverse()), {
      headers,
    });
    expect(again.status).toBe(201);
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(first.headers.has('idempotency-replayed')).toBe(false);
  });

  // Made by the code of 0.1.0. A client that asks again behind an upgrade must not get a second mail, nor a refusal.
  const mail = String.raw`{"to":[{"name":"J\u00f6rg \ud83d\ude00","address":"joerg@example.com"}],"subject":"Receipt","text":"Hello.\u2028","scheduled_datetime":"2999-01-01T00:00:00Z","headers":{"X-10":"b","X-9":"a"},"attachments":[{"filename":"a.bin","content":"+\/\/7vw=="},{"filename":"b.bin","content":"","content_type":"text\/plain"},{"filename":"c.bin","content":"AAEC"}]}`;
  test.each([
    ['/api/v1/emails', mail, 'c82f7fcab17f4bd776de6392e8a7a3ab77cb8918b5ad2f07cfadb2021fbd0872'],
    [
      '/api/v1/emails/batch',
      `{"emails":[${mail},${mail}]}`,
      '7b7ce4891fad8768102312842e5b2d2dfdb4461ad0793060d560cffdbf672f62',
    ],
    [
      '/api/customers',
      '{"sendInvitation":true,"email":"before@example.com","name":"Before"}',
      'aba244797a10e3b9ded903f0f80bd4f681a90f94d1f7ba674dcdc2e04b5fb6cb',
    ],
    [
      '/api/v1/process-scheduled-emails',
      undefined,
      '74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b',
    ],
  ])('a request that 0.1.0 fulfilled is recognised: %s', async (path, raw, fingerprint) => {
    const stored = '{"told":"by 0.1.0"}';
    await api.query(
      `insert into idempotency_key (principal, method, path, key, fingerprint, status, answer, keep_until)
       values ('bootstrap', 'POST', $1, 'upgraded', decode($2, 'hex'), 202, $3, now() + interval '1 day')`,
      [path, fingerprint, stored],
    );
    const count = 'select count(*)::int as count from email';
    const before = await api.query(count);
    const headers = { 'idempotency-key': 'upgraded', 'content-type': 'application/json' };
    const response = await fetch(api.base + path, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${api.key}` },
      ...(raw !== undefined && { body: raw }),
    });
    expect([response.status, await response.text()]).toEqual([202, stored]);
    expect(response.headers.get('idempotency-replayed')).toBe('true');
    expect((await api.query(count)).rows).toEqual(before.rows);
  });

  test('another body under the same key is refused, and a refused request leaves no key', async () => {
    const headers = { 'idempotency-key': 'reused' };
    const refused = await api.post('/api/customers', { name: 'No address' }, { headers });
    expect(refused.status).toBe(422);
    expect((await api.post('/api/customers', newcomer(), { headers })).status).toBe(201);
    const other = await api.post('/api/customers', newcomer(), { headers });
    expect([other.status, other.body.type]).toEqual([422, '/problems/idempotency-key-reused']);
  });

  test('keys are scoped by API key', async () => {
    const headers = { 'idempotency-key': 'mine' };
    const [ann, bob] = [await keyWith(['admin']), await keyWith(['admin'])];
    const first = await api.post('/api/customers', newcomer(), { headers, key: ann.secret });
    const second = await api.post('/api/customers', newcomer(), { headers, key: bob.secret });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body.customer.id).not.toBe(first.body.customer.id);
  });

  test('an answer with a secret is not stored, and a replay says so instead of making a second key', async () => {
    const headers = { 'idempotency-key': 'secret' };
    const draft = { name: 'Once', scopes: ['send'] };
    const first = await api.post('/api/v1/keys', draft, { headers });
    const again = await api.post('/api/v1/keys', draft, { headers });
    expect([again.status, again.body.type]).toEqual([409, '/problems/answer-was-secret']);
    const { rows } = await api.query<{ all: string }>(
      `select string_agg(k::text, '') as all from idempotency_key k`,
    );
    expect(rows[0]?.all).not.toContain(first.body.secret);
  });

  test('a key that is empty, too long or has spaces is refused by name', async () => {
    for (const key of ['two words', 'x'.repeat(257)]) {
      const { status, body } = await api.post('/api/customers', newcomer(), {
        headers: { 'idempotency-key': key },
      });
      expect(status).toBe(422);
      expect(body.errors[0]).toMatchObject({ in: 'header', pointer: '#/Idempotency-Key' });
    }
  });

  test('keys last a day', async () => {
    await api.post('/api/customers', newcomer(), { headers: { 'idempotency-key': 'a-day' } });
    const { rows } = await api.query<{ lasts: boolean }>(
      `select keep_until between created_at + interval '23 hours' and created_at + interval '25 hours' as lasts
       from idempotency_key where key = 'a-day'`,
    );
    expect(rows).toEqual([{ lasts: true }]);
  });
});

describe('rate limits', () => {
  test('a key gets what it may have in a minute, is told what is left, and then has to wait', async () => {
    const replies = await withinOneMinute(api, async () => {
      const { secret } = await keyWith(['read'], { rate_per_minute: 5 });
      const answers = [];
      for (let index = 0; index < 7; index++) answers.push(await api.get('/api/customers', { key: secret }));
      return answers;
    });
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429, 429]);
    expect(replies[0]?.headers.get('ratelimit-policy')).toBe('"default";q=5;w=60');
    expect(replies[0]?.headers.get('ratelimit')).toMatch(/^"default";r=4;t=\d+$/);
    expect(replies[5]?.body.type).toBe('/problems/rate-limited');
    expect(Number(replies[5]?.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('replicas share a limit', async () => {
    await using other = await startApi({ url: api.databaseUrl });
    const statuses = await withinOneMinute(api, async () => {
      const { secret } = await keyWith(['read'], { rate_per_minute: 4 });
      const answers = [];
      for (let index = 0; index < 4; index++) {
        answers.push((await api.get('/api/customers', { key: secret })).status);
        answers.push((await other.get('/api/customers', { key: secret })).status);
      }
      return answers;
    });
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429, 429]);
  });
});

describe('requests that are none', () => {
  test('malformed JSON is 400 and its content is not repeated', async () => {
    const { status, body, text } = await api.post('/api/customers', undefined, {
      raw: '{"name": "My secret bakery", oops}',
      headers: { 'content-type': 'application/json' },
    });
    expect([status, body.type]).toEqual([400, '/problems/malformed-json']);
    expect(text).not.toContain('secret');
  });

  test('a body that is not JSON is 415, one that is too large 413', async () => {
    const form = await api.post('/api/customers', undefined, {
      raw: 'name=Ann',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([form.status, form.body.type]).toEqual([415, '/problems/unsupported-media-type']);
    const large = await api.post('/api/customers', { name: 'x'.repeat(70_000), email: 'a@example.com' });
    expect([large.status, large.body.type, large.body.limit]).toEqual([
      413,
      '/problems/body-too-large',
      65_536,
    ]);
    const bomb = await api.post('/api/customers', undefined, {
      raw: gzipSync('x'.repeat(1_000_000)),
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect(bomb.status).toBe(413);
  });

  test('JSON that is no object, deep, or tries prototypes is refused by name', async () => {
    for (const raw of ['7', 'null', '[]', '"x"', 'true', '']) {
      const { status } = await api.post('/api/customers', undefined, {
        raw,
        headers: { 'content-type': 'application/json' },
      });
      expect([raw, status]).toEqual([raw, 422]);
    }
    const deep = await api.post('/api/customers', undefined, {
      raw: `{"name":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      headers: { 'content-type': 'application/json' },
    });
    expect(deep.status).toBe(422);
    const proto = await api.post('/api/customers', undefined, {
      raw: '{"name":"Ann","email":"proto@example.com","__proto__":{"sendInvitation":true}}',
      headers: { 'content-type': 'application/json' },
    });
    expect(proto.status).toBe(422);
  });

  test('characters that cannot be stored are refused, not stumbled over', async () => {
    for (const name of ['a\u0000b', '\ud800', 'a\u2028b', ' a', 'x'.repeat(201)]) {
      const { status, body } = await api.post('/api/customers', { name, email: 'chars@example.com' });
      expect(status).toBe(422);
      expect(body.errors[0].pointer).toBe('#/name');
    }
  });

  test('addresses that are none, or are two, are refused', async () => {
    const bad = [
      'ann',
      'ann@',
      '@example.com',
      'ann@example',
      'ann@example.com, bob@example.com',
      'Ann <ann@example.com>',
      'ann@example.com\r\nBcc: bob@example.com',
      'ann@-example.com',
      'mailto:ann@example.com',
      `${'a'.repeat(243)}@example.com`,
      'ann@example.com ',
    ];
    for (const email of bad) {
      const { status } = await api.post('/api/customers', { name: 'Ann', email });
      expect([email, status]).toEqual([email, 422]);
    }
    const good = [
      ...["o'neil+tag@sub.example.co", 'jörg@exämple.com', 'a_b%c@example.com', 'ann..b@example.com'],
      ...['ann.@example.com', '"ann b"@example.com', 'ann@[192.0.2.1]', `${'a'.repeat(65)}@example.com`],
    ];
    for (const email of good) {
      const { status } = await api.post('/api/customers', { name: 'Ann', email });
      expect([email, status]).toEqual([email, 201]);
    }
  });

  test('unknown addresses are 404, wrong methods 405 with what is possible, odd paths 400', async () => {
    const nowhere = await api.get('/api/nothing');
    expect([nowhere.status, nowhere.body.type]).toEqual([404, '/problems/not-found']);
    const method = await api.put('/api/customers', {});
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'POST, GET']);
    expect((await api.get('/api/customers/%ZZ')).status).toBe(400);
  });

  test('a request id comes back, an unsuitable one is replaced, and problems name it', async () => {
    const given = await api.get('/api/nothing', { headers: { 'x-request-id': 'trace-7' } });
    expect(given.headers.get('x-request-id')).toBe('trace-7');
    expect(given.body.instance).toBe('/requests/trace-7');
    const odd = await api.get('/livez', { headers: { 'x-request-id': 'a b' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('garbage on the socket is answered in the same words', async () => {
    const socket = connect(api.port, '127.0.0.1');
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes;
    });
    socket.end('EHLO laptop\r\n\r\n');
    await until(() => heard.includes('problem+json'), { what: 'an answer to garbage' });
    expect(heard).toMatch(/^HTTP\/1\.1 400 Bad Request/);
  });

  test('metrics need a key, count by operation and name nobody', async () => {
    expect((await api.get('/metrics', { key: null })).status).toBe(401);
    await api.get('/api/customers/0197e4a6-0000-7000-8000-000000000000');
    const { status, text } = await api.get('/metrics');
    expect(status).toBe(200);
    expect(text).toMatch(
      /postern_http_requests_total\{method="GET",route="\/api\/customers\/:id",status="404",process="api"\} 1\n/,
    );
    expect(text).not.toContain('0197e4a6');
    expect(text).not.toContain('@example.com');
  });

  test('nothing tells which software answers, and nobody may frame or guess', async () => {
    const { headers } = await api.get('/livez');
    expect(headers.has('x-powered-by')).toBe(false);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});

test('a person who looks at a wrong address gets a page, and a program a problem', async () => {
  const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
  const page = await fetch(`${api.base}/nowhere/<b>`, { headers: { accept } });
  expect(page.status).toBe(404);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(await page.text()).toContain('Nothing is at <code>/nowhere/%3Cb%3E</code>');
  for (const [path, headers] of [
    ['/nowhere', { accept: '*/*' }],
    ['/api/v1/nowhere', { accept }],
  ] as const) {
    const problem = await fetch(api.base + path, { headers });
    expect(problem.status).toBe(404);
    expect(problem.headers.get('content-type')).toContain('application/problem+json');
  }
});

test('while PostgreSQL is unavailable requests answer 503 with Retry-After, and recover by themselves', async () => {
  await using postgres = await ownPostgres();
  await using ours = await startApi({ url: postgres.url });
  expect((await ours.post('/api/customers', newcomer())).status).toBe(201);
  expect((await ours.get('/readyz')).status).toBe(200);

  await postgres.stop('immediate');
  const away = await ours.post('/api/customers', newcomer());
  expect(away.status).toBe(503);
  expect(away.headers.get('content-type')).toContain('application/problem+json');
  expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(away.body.type).toBe('/problems/database-unavailable');
  expect((await ours.get('/readyz')).status).toBe(503);
  expect((await ours.get('/livez')).status).toBe(200);

  await postgres.start();
  const back = newcomer();
  await until(async () => (await ours.post('/api/customers', back)).status === 201, { what: 'recovery' });
});
