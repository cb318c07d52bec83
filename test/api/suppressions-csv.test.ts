// The suppression list as a file: out, in, and in from the exports of other services.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => api.query('delete from suppression'));
afterAll(() => api[Symbol.asyncDispose]());

const csv = { 'content-type': 'text/csv' };
const importFile = (raw: string, query = '') =>
  api.post(`/api/v1/suppressions/import${query}`, undefined, { raw, headers: csv });
const listed = async () => {
  const { rows } = await api.query<Record<string, unknown>>(
    `select address, reason, stream, source, reply, created_at from suppression order by address`,
  );
  return rows;
};

test('what goes out comes in again, and is the same', async () => {
  const odd = `"a,b"@example.com`;
  await api.post('/api/v1/suppressions', { address: 'Ann@Example.com', reason: 'complaint' });
  await api.post('/api/v1/suppressions', { address: odd, stream: 'news', reason: 'unsubscribe' });
  const out = await api.get('/api/v1/suppressions/export');
  expect(out.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(out.text.split('\r\n')).toEqual([
    'address,reason,stream,created_at',
    expect.stringMatching(/^Ann@Example\.com,complaint,,20\d\d-/),
    expect.stringMatching(/^"""a,b""@example\.com",unsubscribe,news,20\d\d-/),
    '',
  ]);
  const before = await listed();
  expect((await importFile(out.text)).body).toEqual({ added: 0, known: 2 });
  await api.query('delete from suppression');
  expect((await importFile(out.text)).body).toEqual({ added: 2, known: 0 });
  expect(await listed()).toEqual(before.map((each) => ({ ...each, source: 'import' })));
  expect((await api.get('/api/v1/suppressions/export?stream=news')).text).not.toContain('Ann');
});

test('the same by the type that is asked for or sent', async () => {
  const { base, key } = api;
  const url = `${base}/api/v1/suppressions`;
  const headers = { authorization: `Bearer ${key}`, ...csv };
  const sent = await fetch(url, { method: 'POST', headers, body: 'address\nann@example.com\n' });
  expect([sent.status, await sent.json()]).toEqual([200, { added: 1, known: 0 }]);
  const got = await fetch(url, { headers: { ...headers, accept: 'text/csv' } });
  expect(await got.text()).toContain('\r\nann@example.com,manual,,');
  const json = await fetch(url, { headers: { ...headers, accept: '*/*' } });
  expect(json.headers.get('content-type')).toContain('json');
});

test.each([
  [
    'SendGrid: bounces',
    'status,reason,email,created\n5.1.1,"550 5.1.1 ""no"" such\nuser, sorry",ann@example.com,1790083507\n',
    { reason: 'bounce', reply: '550 5.1.1 "no" such\nuser, sorry', created_at: new Date(1790083507000) },
  ],
  [
    'SendGrid: spam reports',
    'ip,email,created\n192.0.2.1,ann@example.com,1790083507\n',
    { reason: 'complaint' },
  ],
  ['SendGrid: unsubscribes', 'email,created\nann@example.com,1790083507\n', { reason: 'unsubscribe' }],
  [
    'Mailgun: bounces',
    'address,code,error,created_at\nann@example.com,550,No such mailbox,"Mon, 06 May 2024 18:11:58 UTC"\n',
    { reason: 'bounce', reply: '550 No such mailbox', created_at: new Date('2024-05-06T18:11:58Z') },
  ],
  ['Mailgun: unsubscribes', 'address,tags,created_at\nann@example.com,*,\n', { reason: 'unsubscribe' }],
  [
    'Postmark',
    'EmailAddress,SuppressionReason,Origin,CreatedAt\nann@example.com,HardBounce,Recipient,2019-12-17T08:58:33-05:00\n',
    { reason: 'bounce', created_at: new Date('2019-12-17T13:58:33Z') },
  ],
  [
    'Postmark, with spaces in the names and a semicolon',
    'Email Address;Suppression Reason;Origin;Created At\nann@example.com;ManualSuppression;Recipient;2019-12-17 08:58\n',
    { reason: 'unsubscribe', created_at: new Date('2019-12-17T08:58:00Z') },
  ],
])('%s', async (_, file, entry) => {
  expect((await importFile(`\ufeff${file}`)).body).toEqual({ added: 1, known: 0 });
  expect(await listed()).toMatchObject([
    { address: 'ann@example.com', stream: '', source: 'import', reply: null, ...entry },
  ]);
});

test('an entry that is over is new, one of an erased person is known, and webhooks hear of each that is new or gone', async () => {
  const tell = async () => {
    const { rows } = await api.query<{ told: string }>(
      `delete from webhook_delivery returning type || ' ' || (data ->> 'address') as told`,
    );
    return rows.map(({ told }) => told).sort();
  };
  await importFile('address\nover@example.com\nerased@example.com\nstays@example.com\n');
  await api.query(
    `update suppression set expires_at = now() - interval '1 hour' where address like 'over@%'`,
  );
  await api.query(`update suppression set address = null where address like 'erased@%'`);
  await api.query(`insert into webhook (id, url) values (gen_random_uuid(), 'https://example.com/hook')`);
  try {
    const file =
      'address\nover@example.com\nOver@EXAMPLE.com\nerased@example.com\nstays@example.com\nnew@example.com\n';
    expect((await importFile(file)).body).toEqual({ added: 2, known: 3 });
    const added = ['suppression.added new@example.com', 'suppression.added over@example.com'];
    expect(await tell()).toEqual([...added, 'suppression.removed over@example.com']);
    await api.query(`update suppression set address = null where address like 'erased@%'`);
    await api.query('delete from suppression');
    expect(await tell()).toEqual(
      ['new', 'over', 'stays'].map((name) => `suppression.removed ${name}@example.com`),
    );
  } finally {
    await api.query('delete from webhook');
  }
});

test('what the file does not say is said by the request', async () => {
  await importFile('address,created_at\nann@example.com,2024-05-06\n', '?reason=complaint&stream=news');
  expect(await listed()).toMatchObject([{ reason: 'complaint', stream: 'news' }]);
});

test('all faults are named with their line, and nothing is written', async () => {
  const { status, body } = await importFile(
    [
      'address,reason,stream,created_at',
      'ann@example.com,bounce,,',
      'nobody,spam,two words,soon',
      '"ben@example.com',
      '",bounce,,',
      'cleo@example.com,bounce',
      '',
      'dan@example.com,bounce,,2099-01-01T00:00:00Z',
      'eve@example.com,bounce,,2024-01-01T00:00:00Z',
      '"fay@example.com,bounce,,',
    ].join('\r\n'),
  );
  expect(status).toBe(422);
  expect(body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
    ...['address', 'reason', 'stream', 'created_at'].map((column) => `#/line-3/${column}`),
    ...['#/line-6', '#/line-8/created_at', '#/line-10'],
  ]);
  expect(body.errors.at(-1).detail).toContain('never ends');
  expect(await listed()).toEqual([]);
});

test.each([
  ['', 'is missing'],
  ['mail\nann@example.com', 'must name the columns'],
  ['address,strem\nann@example.com,news', '"strem", which is not known'],
  ['address,reason,reason\nann@example.com,bounce,bounce', '"reason" twice'],
])('a first line that cannot be understood: %j', async (file, words) => {
  const { status, body } = await importFile(file);
  expect([status, body.errors]).toEqual([422, [expect.objectContaining({ pointer: '#/line-1' })]]);
  expect(body.errors[0].detail).toContain(words);
});

test('a hundred faults are named and the others counted; one entry too many is refused', async () => {
  const broken = await importFile(`address\n${'nobody\n'.repeat(150)}`);
  expect(broken.body.errors).toHaveLength(100);
  expect(broken.body.detail).toMatch(/^150 .* and 50 more\.$/s);
  const long = await importFile(`address\n${'a@example.com\n'.repeat(100_001)}`);
  expect(long.body.errors).toEqual([expect.objectContaining({ pointer: '#/line-100002' })]);
});

test('a person who was erased stays unwritten, and is named again when somebody names them', async () => {
  await importFile('address\ngus@example.com\n');
  expect((await api.delete('/api/v1/recipients/gus@example.com')).status).toBe(200);
  expect((await api.get('/api/v1/suppressions/export')).text).not.toContain('gus');
  expect((await importFile('address\ngus@example.com\nhal@example.com\n')).body).toEqual({
    added: 1,
    known: 1,
  });
  expect(await listed()).toMatchObject([{ address: 'gus@example.com' }, { address: 'hal@example.com' }]);
});

test('many lines go in while others are answered', async () => {
  const file = `address\n${Array.from({ length: 5_000 }, (_, n) => `a${n}@example.com`).join('\n')}\n`;
  const [done] = await Promise.all([importFile(file), api.get('/livez')]);
  expect(done.body).toEqual({ added: 5_000, known: 0 });
  const out = (await api.get('/api/v1/suppressions/export')).text;
  expect(out.split('\r\n')).toHaveLength(5_002);
});

test('only an admin may import, only text/csv and only in UTF-8', async () => {
  const { body: key } = await api.post('/api/v1/keys', { name: 'Reader', scopes: ['read'] });
  const as = { key: key.secret, raw: 'address\n', headers: csv };
  expect((await api.post('/api/v1/suppressions/import', undefined, as)).status).toBe(403);
  expect((await api.get('/api/v1/suppressions/export', { key: key.secret })).status).toBe(200);
  expect((await api.post('/api/v1/suppressions/import', { address: 'ann@example.com' })).status).toBe(415);
  const latin = { raw: Buffer.from('address\nbj\xf6rn@example.com\n', 'latin1'), headers: csv };
  expect((await api.post('/api/v1/suppressions/import', undefined, latin)).status).toBe(400);
});
