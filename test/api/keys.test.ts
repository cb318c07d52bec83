// What a key may send: as whom, to how many, and until when; and what it says when it may not.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../kit/until.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
  // What a relay says of itself.
  await api.query(
    `insert into heartbeat (instance, process, report) values (gen_random_uuid(), 'relay', $1)`,
    [
      JSON.stringify({
        configured: true,
        missing: [],
        problems: [],
        delivery_mode: 'deliver',
        limits: { max_message_size: 26_214_400 },
        allowed_senders: ['*@example.com', 'ann@example.org'],
      }),
    ],
  );
});
afterAll(() => api[Symbol.asyncDispose]());

const mail = { to: 'bob@example.net', subject: 'Your order', text: 'Thank you.' };
const later = { scheduled_datetime: '2035-03-01T09:00:00Z' };

async function keyWith(more: object = {}) {
  const { status, body } = await api.post('/api/v1/keys', { name: 'Shop', scopes: ['send'], ...more });
  expect(status, JSON.stringify(body)).toBe(201);
  return body as { id: string; secret: string };
}

const viewOf = async (id: string) => {
  const { body } = await api.get('/api/v1/keys?limit=100');
  return body.data.find((key: { id: string }) => key.id === id);
};

// A test that begins in one hour and ends in the next would count in two.
beforeEach(async () => {
  await until(
    async () => {
      const { rows } = await api.query<{ left: number }>(
        `select extract(epoch from date_trunc('hour', now()) + interval '1 hour' - now())::float8 as left`,
      );
      return (rows[0]?.left ?? 0) > 20;
    },
    { timeoutMs: 40_000 },
  );
});

test('senders: a foreign one is refused with those that the key has', async () => {
  const { secret: key } = await keyWith({
    senders: ['shop@example.com', '*@EXAMPLE.com', 'ann@example.org'],
  });
  for (const from of ['shop@example.com', 'Other <other@example.com>', '"ann"@example.org']) {
    expect((await api.post('/api/v1/emails', { ...mail, from }, { key })).status).toBe(202);
  }
  const { status, body } = await api.post('/api/v1/emails', { ...mail, from: 'eve@example.org' }, { key });
  expect([status, body.type]).toEqual([403, '/problems/sender-not-allowed']);
  expect(body.allowed).toEqual(['shop@example.com', '*@EXAMPLE.com', 'ann@example.org']);
  expect(body.detail).toContain('eve@example.org');

  const batch = [mail, { ...mail, from: 'eve@example.org' }];
  const { body: answers } = await api.post('/api/v1/emails/batch', batch, { key });
  expect(answers.data).toMatchObject([
    { index: 0, status: 'pending' },
    { index: 1, errors: [{ pointer: '#/from' }] },
  ]);
  // The relay allows this one, and the key does not.
  const { secret: narrow } = await keyWith({ senders: ['shop@example.com'] });
  const within = [mail, { ...mail, from: 'other@example.com' }];
  const { body: refused } = await api.post('/api/v1/emails/batch', within, { key: narrow });
  expect(refused.data[1]).toMatchObject({
    errors: [{ pointer: '#/from', received: 'other@example.com', accepted: ['shop@example.com'] }],
  });
  const none = await api.post('/api/v1/emails/batch', batch.slice(1), { key });
  expect([none.status, none.body.errors[0].pointer]).toEqual([422, '#/0/from']);
});

test('mail without From is from the usual sender where the key may, else from its first address', async () => {
  const fromOf = async (senders: string[]) => {
    const { secret: key } = await keyWith({ senders });
    const { body } = await api.post('/api/v1/emails', mail, { key });
    return body.from?.address ?? body.errors;
  };
  expect(await fromOf([])).toBe('hello@example.com');
  expect(await fromOf(['*@example.com'])).toBe('hello@example.com');
  expect(await fromOf(['ann@example.org'])).toBe('ann@example.org');

  // Neither is there: the mail is neither held nor sent as somebody else.
  const { secret: key, id } = await keyWith();
  await api.query("update api_key set senders = '{*@example.org}' where id = $1", [id]);
  const { status, body } = await api.post('/api/v1/emails', mail, { key });
  expect([status, body.errors[0].pointer, body.errors[0].accepted]).toEqual([
    422,
    '#/from',
    ['*@example.org'],
  ]);
  const form = {
    enabled: true,
    recipients: ['bob@example.net'],
    emails: [{ key: 'a', ...content, ...later }],
  };
  const saved = await api.put('/api/v1/client/foreign/email-config', form, { key });
  expect([saved.status, saved.body.type]).toEqual([403, '/problems/sender-not-allowed']);
  const tested = await api.post('/api/v1/test-email', { to: 'bob@example.net' }, { key });
  expect([tested.status, tested.body.type]).toEqual([403, '/problems/sender-not-allowed']);
});

const content = { subject: 'Welcome', text: 'Hello.' };

test('recipients of an hour: the mail that does not fit waits, whichever way it comes', async () => {
  const { secret: key, id } = await keyWith({ per_hour: 5, per_day: 1_000 });
  const two = { ...mail, to: ['bob@example.net', 'ben@example.net'] };
  expect((await api.post('/api/v1/emails', two, { key })).status).toBe(202);
  expect((await api.post('/api/v1/emails/batch', [mail, mail], { key })).status).toBe(202);
  const form = { enabled: true, recipients: two.to, emails: [{ key: 'a', ...content, ...later }] };
  for (const reply of [
    await api.post('/api/v1/emails', two, { key }),
    await api.post('/api/v1/emails/batch', [mail, mail], { key }),
    await api.put('/api/v1/client/acme/email-config', form, { key }),
  ]) {
    expect([reply.status, reply.body.type]).toEqual([429, '/problems/rate-limited']);
    expect(reply.body).toMatchObject({ span: 'hour', limit: 5, used: 4 });
    const seconds = Number(reply.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(3_600);
  }
  // What was refused left nothing behind, and a smaller one fits.
  expect((await api.get('/api/v1/client/acme/email-config', { key })).status).toBe(404);
  expect((await api.post('/api/v1/emails', mail, { key })).status).toBe(202);
  expect((await api.post('/api/v1/emails', mail, { key })).status).toBe(429);
  expect(await viewOf(id)).toMatchObject({ per_hour: 5, per_day: 1_000, used: { hour: 5, day: 5 } });

  const six = { ...mail, to: Array.from({ length: 6 }, (_, n) => `bob${n}@example.net`) };
  const never = await api.post('/api/v1/emails', six, { key });
  expect([never.status, never.body.errors[0]]).toMatchObject([422, { accepted: { maximum: 5 } }]);

  await api.query("update key_usage set hour = hour - interval '1 hour'");
  expect((await api.post('/api/v1/emails', mail, { key })).status).toBe(202);
  expect(await viewOf(id)).toMatchObject({ used: { hour: 1, day: 6 } });
});

test('the mount for the client of Resend obeys the same senders and limits', async () => {
  const { secret: key } = await keyWith({ senders: ['shop@example.com'], per_day: 1 });
  const asked = { ...mail, from: 'Shop <shop@example.com>' };
  const foreign = await api.post('/resend/emails', { ...asked, from: 'eve@example.com' }, { key });
  expect([foreign.status, foreign.body.name]).toEqual([403, 'invalid_from_address']);
  expect((await api.post('/resend/emails', asked, { key })).status).toBe(200);
  const over = await api.post('/resend/emails', asked, { key });
  expect([over.status, over.body.name]).toEqual([429, 'daily_quota_exceeded']);
  expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('recipients of a day, and what is refused or repeated does not count', async () => {
  const { secret: key, id } = await keyWith({ per_day: 2 });
  const headers = { 'idempotency-key': 'one-mail' };
  for (const status of [202, 202]) {
    expect((await api.post('/api/v1/emails', mail, { key, headers })).status).toBe(status);
  }
  expect((await api.post('/api/v1/emails', { ...mail, subject: '' }, { key })).status).toBe(422);
  expect((await viewOf(id)).used.day).toBe(1);
  expect((await api.post('/api/v1/emails', mail, { key })).status).toBe(202);
  const over = await api.post('/api/v1/emails', mail, { key });
  expect([over.status, over.body.span]).toEqual([429, 'day']);
  await api.patch(`/api/v1/keys/${id}`, { per_day: 3 });
  expect((await api.post('/api/v1/emails', mail, { key })).status).toBe(202);
  await api.patch(`/api/v1/keys/${id}`, { per_day: 0 });
  expect((await api.post('/api/v1/emails', mail, { key })).status).toBe(202);
});

test('a form: recipients of new entries count, and those that old ones get', async () => {
  const { secret: key, id } = await keyWith({ per_day: 6 });
  const save = (recipients: string[], subject: string) =>
    api.put(
      '/api/v1/client/grows/email-config',
      {
        enabled: true,
        recipients,
        emails: ['a', 'b'].map((name) => ({ key: name, text: 'Hello.', subject, ...later })),
      },
      { key },
    );
  const many = ['a', 'b', 'c', 'd'].map((name) => `${name}@example.net`);
  const used = async () => (await viewOf(id)).used.day;
  expect([(await save(many.slice(0, 1), 'One')).status, await used()]).toEqual([200, 2]);
  expect([(await save(many.slice(0, 1), 'Two')).status, await used()]).toEqual([200, 2]);
  expect([(await save(many, 'Two')).status, await used()]).toEqual([429, 2]);
  expect([(await save(many.slice(0, 3), 'Two')).status, await used()]).toEqual([200, 6]);
  expect([(await save(many.slice(0, 1), 'Two')).status, await used()]).toEqual([200, 6]);
});

test('fifty requests at once get exactly what the limit lets through', async () => {
  const { secret: key } = await keyWith({ per_hour: 20 });
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => api.post('/api/v1/emails', mail, { key })),
  );
  expect(Map.groupBy(replies, ({ status }) => status).get(202)).toHaveLength(20);
  expect((await api.query('select hour_used from key_usage order by hour_used desc limit 1')).rows).toEqual([
    { hour_used: 20 },
  ]);
});

test('mail has the tags of its key, and its own win', async () => {
  const tags = [
    { name: 'app', value: 'shop' },
    { name: 'team', value: 'red' },
  ];
  const { secret: key } = await keyWith({ tags });
  expect((await api.post('/api/v1/emails', mail, { key })).body.tags).toEqual(tags);
  const own = { ...mail, tags: [{ name: 'team', value: 'blue' }] };
  const { body } = await api.post('/api/v1/emails', own, { key });
  expect(body.tags).toEqual([
    { name: 'team', value: 'blue' },
    { name: 'app', value: 'shop' },
  ]);
  const form = {
    enabled: true,
    recipients: ['bob@example.net'],
    emails: [{ key: 'a', ...content, ...later }],
  };
  const saved = await api.put('/api/v1/client/tagged/email-config', form, { key });
  expect(saved.body.emails[0].tags).toEqual(tags);
});

test('a key that has expired is told so; its end can be put off and taken away', async () => {
  const { secret: key, id } = await keyWith({ expires_at: '2100-01-01T00:00:00Z' });
  expect((await api.get('/api/v1/emails', { key })).status).toBe(200);
  await api.query("update api_key set expires_at = '2020-02-03T00:00:00Z' where id = $1", [id]);
  const { status, body } = await api.get('/api/v1/emails', { key });
  expect([status, body.type]).toEqual([401, '/problems/unauthenticated']);
  expect(body.detail).toContain('2020-02-03');
  expect(await viewOf(id)).toMatchObject({ expired: true, expires_at: '2020-02-03T00:00:00.000Z' });
  const past = await api.patch(`/api/v1/keys/${id}`, { expires_at: '2020-01-01T00:00:00Z' });
  expect([past.status, past.body.errors[0].pointer]).toEqual([422, '#/expires_at']);
  const put = await api.patch(`/api/v1/keys/${id}`, { expires_at: 'never', name: 'Shop 2' });
  expect(put.body).toMatchObject({ expired: false, expires_at: null, name: 'Shop 2' });
  expect((await api.get('/api/v1/emails', { key })).status).toBe(200);
});

test('the last use is written, and not again within the minute', async () => {
  const { secret: key, id } = await keyWith();
  expect((await viewOf(id)).last_used_at).toBeNull();
  await api.get('/api/v1/emails', { key });
  const first = await until(async () => (await viewOf(id)).last_used_at, { timeoutMs: 20_000 });
  await api.get('/api/v1/emails', { key });
  // Another replica, half a minute later, leaves it alone; after a minute it does not.
  for (const [age, changes] of [
    ['30 seconds', false],
    ['61 seconds', true],
  ] as const) {
    await api.query(`update api_key set last_used_at = now() - $2::interval where id = $1`, [id, age]);
    const before = (await viewOf(id)).last_used_at;
    await api.database.query('select keys_were_used($1)', [[id]]);
    expect((await viewOf(id)).last_used_at !== before).toBe(changes);
  }
  expect(first).toMatch(/Z$/);
});

test('settings: faults are named, and what the relay no longer allows is shown', async () => {
  const draft = {
    name: 'X',
    scopes: ['send'],
    senders: ['a@example.com', '*@example.org', 'no address'],
    per_hour: -1,
  };
  const shaped = await api.post('/api/v1/keys', draft);
  expect(shaped.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
    '#/per_hour',
    '#/senders/2',
  ]);
  const outside = await api.post('/api/v1/keys', {
    ...draft,
    senders: draft.senders.slice(0, 2),
    per_hour: 1,
  });
  expect(outside.body.errors).toMatchObject([
    { pointer: '#/senders/1', received: '*@example.org', accepted: ['*@example.com', 'ann@example.org'] },
  ]);
  for (const scopes of [['admin', 'send'], ['read']]) {
    const { status, body } = await api.post('/api/v1/keys', { name: 'X', scopes, per_day: 5 });
    expect([status, body.errors[0].pointer]).toEqual([422, '#/per_day']);
  }
  const { id } = await keyWith({ senders: ['a@example.com'], tags: [{ name: 'app', value: 'shop' }] });
  await api.query("update api_key set senders = '{a@example.com,*@old.example}' where id = $1", [id]);
  expect(await viewOf(id)).toMatchObject({
    senders_not_allowed: ['*@old.example'],
    tags: [{ name: 'app', value: 'shop' }],
  });
  const cleared = await api.patch(`/api/v1/keys/${id}`, { senders: [], tags: [] });
  expect(cleared.body).toMatchObject({ senders: [], senders_not_allowed: [], tags: [] });
  await api.delete(`/api/v1/keys/${id}`);
  expect((await api.patch(`/api/v1/keys/${id}`, { per_hour: 1 })).body.type).toBe('/problems/key-revoked');
});

test('a new secret for the same key: the old one lasts a day, and what the key has stays its own', async () => {
  const { secret: first, id } = await keyWith({ name: 'Rotated' });
  const { body: sent } = await api.post('/api/v1/emails', { ...mail, ...later }, { key: first });
  const rotate = async () => (await api.post(`/api/v1/keys/${id}/rotate`)).body;
  const second = await rotate();
  expect(second.old_secret_until).toMatch(/Z$/);
  expect(second.ending).toBe(second.secret.slice(-4));
  for (const key of [first, second.secret]) {
    expect((await api.post(`/api/v1/emails/${sent.id}/cancel`, undefined, { key })).status).toBe(200);
  }
  // Once more: the oldest ends at once.
  const third = await rotate();
  const passes = async (key: string) => (await api.get('/api/v1/emails', { key })).status === 200;
  expect([await passes(first), await passes(second.secret), await passes(third.secret)]).toEqual([
    false,
    true,
    true,
  ]);
  await api.query('update api_key set old_secret_until = now() where id = $1', [id]);
  expect([await passes(second.secret), await passes(third.secret)]).toEqual([false, true]);
  expect((await viewOf(id)).old_secret_until).toBeNull();

  await rotate();
  await api.delete(`/api/v1/keys/${id}`);
  expect([await passes(second.secret), await passes(third.secret)]).toEqual([false, false]);
  expect((await api.post(`/api/v1/keys/${id}/rotate`)).body.type).toBe('/problems/key-revoked');
  expect((await api.post(`/api/v1/keys/${sent.id}/rotate`)).status).toBe(404);
});

test('revoking a key leaves its mail alone, or cancels all of it that waits', async () => {
  const { secret: key, id } = await keyWith({ name: 'Leaked' });
  const other = await keyWith();
  const ids: string[] = [];
  for (const body of [mail, { ...mail, ...later }, { ...mail, ...later }]) {
    ids.push((await api.post('/api/v1/emails', body, { key })).body.id);
  }
  const { body: kept } = await api.post('/api/v1/emails', { ...mail, ...later }, { key: other.secret });
  // One of them is gone already.
  await api.query(
    "update email set status = 'sent', finished_at = now(), queue_id = 'Q1', accepted_at = now(), next_hand_over_at = null where id = $1",
    [ids[0]],
  );
  const statuses = async () => {
    const all = await Promise.all([...ids, kept.id].map((each) => api.get(`/api/v1/emails/${each}`)));
    return all.map(({ body }) => body.status);
  };
  const { body: revoked } = await api.delete(`/api/v1/keys/${id}`);
  expect(revoked.waiting_mail).toBeNull();
  expect(await statuses()).toEqual(['sent', 'pending', 'pending', 'pending']);
  const { body: cancelled } = await api.delete(`/api/v1/keys/${id}?cancel_waiting=true`);
  expect(cancelled.waiting_mail).toEqual({ cancelled: 2, more: false });
  expect(cancelled.revoked_at).toBe(revoked.revoked_at);
  expect(await statuses()).toEqual(['sent', 'cancelled', 'cancelled', 'pending']);
  const { body: again } = await api.delete(`/api/v1/keys/${id}?cancel_waiting=true`);
  expect(again.waiting_mail).toEqual({ cancelled: 0, more: false });
});

test('mail says which key sent it, and is found by it; a send key finds only its own', async () => {
  const one = await keyWith({ name: 'One' });
  const two = await keyWith({ name: 'Two' });
  const { body: sent } = await api.post('/api/v1/emails', mail, { key: one.secret });
  expect(sent.api_key).toEqual({ id: one.id, name: 'One' });
  expect((await api.post('/api/v1/emails', mail)).body.api_key).toBeNull();
  await api.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
     select q, c, 'ann@example.com', 'ann@example.com', '', 900, 1
     from unnest($1::text[], $2::text[]) m (q, c)`,
    [
      ['0000000000000001', '0000000000000002', '0000000000000003'],
      [`key:${one.id}`, `key:${two.id}`, 'application'],
    ],
  );
  const found = async (path: string, options = {}) => {
    const { body } = await api.get(path, options);
    return body.data.map(({ api_key }: { api_key: { name: string } | null }) => api_key?.name ?? null);
  };
  expect(await found(`/api/v1/emails?api_key=${one.id}`)).toEqual(['One']);
  expect(await found('/api/v1/submitted-emails')).toEqual([null, 'Two', 'One']);
  expect(await found('/api/v1/submitted-emails?after=0000000000000003')).toEqual(['Two', 'One']);
  expect(await found(`/api/v1/submitted-emails?api_key=${two.id}`)).toEqual(['Two']);
  for (const path of ['/api/v1/emails', '/api/v1/submitted-emails']) {
    expect(await found(path, { key: one.secret })).toEqual(['One']);
    expect(await found(`${path}?api_key=${one.id}`, { key: one.secret })).toEqual(['One']);
    expect(await found(`${path}?api_key=${two.id}`, { key: one.secret })).toEqual([]);
  }
});
