// Tags, streams and ignore_suppression of mail: asked for, shown, found, in events.
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const mail = (more: object = {}) => ({ to: 'ann@example.com', subject: 'Hello', text: 'Hello.', ...more });
const tag = (name: string, value: string) => ({ name, value });
const pointers = (body: { errors: { pointer: string }[] }) =>
  body.errors.map(({ pointer }) => pointer).sort();

async function found(query: string): Promise<string[]> {
  const { status, body } = await api.get(`/api/v1/emails?limit=100&${query}`);
  expect([query, status]).toEqual([query, 200]);
  return body.data.map(({ id }: { id: string }) => id);
}

test('a mail has its tags and its stream, and is found by them', async () => {
  const tags = [tag('app', 'shop'), tag('order_id', '47-11')];
  const { status, body } = await api.post('/api/v1/emails', mail({ tags, stream: 'receipts' }));
  expect([status, body.tags, body.stream]).toEqual([202, tags, 'receipts']);
  const plain = (await api.post('/api/v1/emails', mail())).body;
  expect([plain.tags, plain.stream, plain.ignore_suppression]).toEqual([[], null, false]);
  expect((await api.get(`/api/v1/emails/${body.id}`)).body).toMatchObject({ tags, stream: 'receipts' });

  for (const query of [
    'tag=app:shop',
    'tag=order_id:47-11',
    'stream=receipts',
    'tag=app:shop&stream=receipts',
  ])
    expect([query, await found(query)]).toEqual([query, [body.id]]);
  for (const query of [
    'tag=app:sho',
    'tag=shop:app',
    'tag=App:shop',
    'stream=receipt',
    'tag=app:shop&stream=x',
  ])
    expect([query, await found(query)]).toEqual([query, []]);
  const { status: refused, body: problem } = await api.get('/api/v1/emails?tag=app&stream=a:b');
  expect([refused, pointers(problem)]).toEqual([422, ['#/stream', '#/tag']]);
});

test('a scheduled mail gets other tags and another stream, and those of the key stay', async () => {
  const { body: key } = await api.post('/api/v1/keys', {
    name: 'Till',
    scopes: ['send'],
    tags: [tag('till', '7')],
  });
  const scheduled_datetime = new Date(Date.now() + 3_600_000).toISOString();
  const { body } = await api.post(
    '/api/v1/emails',
    mail({ tags: [tag('app', 'shop')], stream: 'news', scheduled_datetime }),
    { key: key.secret },
  );
  const path = `/api/v1/scheduled-emails/${body.id}`;
  const change = (changes: object) => api.patch(path, changes, { key: key.secret });
  expect((await change({ subject: 'Later' })).body).toMatchObject({
    tags: [tag('app', 'shop'), tag('till', '7')],
    stream: 'news',
  });
  const changed = await change({ tags: [tag('app', 'blog')], stream: 'letters' });
  expect([changed.status, changed.body.tags, changed.body.stream]).toEqual([
    200,
    [tag('app', 'blog'), tag('till', '7')],
    'letters',
  ]);
  expect(await found('tag=app:blog&stream=letters')).toEqual([body.id]);
  expect((await change({ tags: [], stream: null })).body).toMatchObject({
    tags: [tag('till', '7')],
    stream: null,
  });
  const { status, body: problem } = await change({ tags: [tag('a b', 'c')], stream: 'x y' });
  expect([status, pointers(problem)]).toEqual([422, ['#/stream', '#/tags/0/name']]);
});

test('every tag and stream at fault is named', async () => {
  const { status, body } = await api.post(
    '/api/v1/emails',
    mail({
      tags: [
        tag('app', 'shop'),
        tag('no spaces', 'shop'),
        tag('x', 'y'.repeat(257)),
        tag('app', 'blog'),
        { ...tag('more', '1'), colour: 'red' },
        tag('umlaut', 'grün'),
        tag('', ''),
      ],
      stream: 'ann@example.com',
      ignore_suppression: 'yes',
    }),
  );
  expect([status, pointers(body)]).toEqual([
    422,
    [
      '#/ignore_suppression',
      '#/stream',
      '#/tags/1/name',
      '#/tags/2/value',
      '#/tags/3/name',
      '#/tags/4/colour',
      '#/tags/5/value',
      '#/tags/6/name',
      '#/tags/6/value',
    ].sort(),
  ]);
  const twice = await api.post(
    '/api/v1/emails',
    mail({ tags: [tag('app', 'a'), tag('b', 'b'), tag('app', 'c')] }),
  );
  expect([twice.status, pointers(twice.body)]).toEqual([422, ['#/tags/2/name']]);
  const many = (count: number) => Array.from({ length: count }, (_, n) => tag(`t${n}`, 'x'));
  expect((await api.post('/api/v1/emails', mail({ tags: many(75) }))).status).toBe(202);
  expect((await api.post('/api/v1/emails', mail({ tags: many(76) }))).status).toBe(422);
});

test('in a batch each mail has its own', async () => {
  const { status, body } = await api.post('/api/v1/emails/batch', [
    mail({ tags: [tag('batch', 'one')], stream: 'batched' }),
    mail({ tags: [tag('batch', 'no good')] }),
    mail(),
  ]);
  expect([status, pointers(body.data[1])]).toEqual([202, ['#/tags/0/value']]);
  expect(await found('tag=batch:one')).toEqual([body.data[0].id]);
  expect(await found('stream=batched')).toEqual([body.data[0].id]);
});

test('only admin may ignore the suppression list, and the timeline says so', async () => {
  const { body: key } = await api.post('/api/v1/keys', { name: 'Shop', scopes: ['send'] });
  for (const [path, body] of [
    ['/api/v1/emails', mail({ ignore_suppression: true })],
    ['/api/v1/emails/batch', [mail(), mail({ ignore_suppression: true })]],
  ] as const) {
    const refused = await api.post(path, body, { key: key.secret });
    expect([refused.status, refused.body.type, refused.body.needed]).toEqual([
      403,
      '/problems/forbidden',
      'admin',
    ]);
    expect(refused.body.detail).toContain('ignore_suppression');
  }
  const allowed = await api.post('/api/v1/emails', mail({ ignore_suppression: false }), { key: key.secret });
  expect([allowed.status, allowed.body.ignore_suppression]).toEqual([202, false]);
  const { status, body } = await api.post('/api/v1/emails', mail({ ignore_suppression: true }));
  expect([status, body.ignore_suppression]).toEqual([202, true]);
  const { body: timeline } = await api.get(`/api/v1/emails/${body.id}/events`);
  expect(timeline.data[0]).toMatchObject({ type: 'created', detail: { ignoreSuppression: true } });
});

test('a form gives its tags and its stream to all its mails, and changes those that have not left', async () => {
  const form = (more: object) => ({
    enabled: true,
    recipients: ['ann@example.com'],
    emails: ['a', 'b'].map((key) => ({
      key,
      subject: key,
      text: key,
      scheduled_datetime: '2040-01-01T09:00:00Z',
    })),
    ...more,
  });
  const save = (more: object) => api.put('/api/v1/client/tagged/email-config', form(more));
  const first = await save({ tags: [tag('form', 'f1')], stream: 'reminders' });
  expect(first.body.config).toMatchObject({ tags: [tag('form', 'f1')], stream: 'reminders' });
  expect((await found('tag=form:f1&stream=reminders')).length).toBe(2);
  expect((await save({ tags: [tag('form', 'f1')], stream: 'reminders' })).body.scheduled).toMatchObject({
    kept: 2,
  });
  expect((await save({ tags: [tag('form', 'f2')], stream: 'reminders' })).body.scheduled).toMatchObject({
    updated: 2,
  });
  expect((await save({ tags: [tag('form', 'f2')] })).body.scheduled).toMatchObject({ updated: 2 });
  expect([(await found('tag=form:f1')).length, (await found('tag=form:f2')).length]).toEqual([0, 2]);
  expect((await api.get('/api/v1/client/tagged/email-config')).body.config).toMatchObject({
    tags: [tag('form', 'f2')],
    stream: null,
  });
  const { status, body } = await save({ tags: [tag('a b', 'c')], stream: '' });
  expect([status, pointers(body)]).toEqual([422, ['#/stream', '#/tags/0/name']]);
});

test('events have the tags, and an endpoint that asked for one hears of no other mail', async () => {
  const listen = async (tags: object[]) => {
    const id = randomUUID();
    await api.query('insert into webhook (id, url, tags) values ($1, $2, $3)', [
      id,
      'https://shop.example.com/',
      JSON.stringify(tags),
    ]);
    await api.query('insert into webhook_secret (webhook_id, secret) values ($1, $2)', [id, randomBytes(32)]);
    return id;
  };
  const [all, shop] = [await listen([]), await listen([tag('app', 'blog'), tag('app', 'news')])];
  const ids: string[] = [];
  for (const tags of [[tag('x', 'y'), tag('app', 'news')], [tag('app', 'other')], []]) {
    const { body } = await api.post(
      '/api/v1/emails',
      mail({ tags, scheduled_datetime: '2040-01-01T09:00:00Z' }),
    );
    ids.push(body.id);
    await api.post(`/api/v1/emails/${body.id}/cancel`);
  }
  const heardBy = async (id: string) =>
    (
      await api.query<{ email_id: string; tags: object[] }>(
        `select email_id, data -> 'tags' as tags from webhook_delivery where webhook_id = $1 order by id`,
        [id],
      )
    ).rows;
  const [tagged, other, none] = ids;
  expect(await heardBy(all)).toEqual([
    { email_id: tagged, tags: [tag('x', 'y'), tag('app', 'news')] },
    { email_id: other, tags: [tag('app', 'other')] },
    { email_id: none, tags: [] },
  ]);
  expect(await heardBy(shop)).toEqual([expect.objectContaining({ email_id: tagged })]);
});
