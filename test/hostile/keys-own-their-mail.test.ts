// Attack: a key that leaked, or that another team holds, reaches for mail of the others.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listedFor } from '../../api/emails/owner.ts';
import { startDashboard } from '../api/dashboard/dashboard.ts';
import { type Api, startApi } from '../api/in-process.ts';

let api: Api;
const keys = { owner: '', other: '', reader: '', both: '' };
const ids = { owner: '', other: '', reader: '', both: '' };

beforeAll(async () => {
  api = await startApi();
  await makeKey('owner', ['send']);
  await makeKey('other', ['send']);
  await makeKey('reader', ['read']);
  await makeKey('both', ['send', 'read']);
});
afterAll(() => api[Symbol.asyncDispose]());

async function makeKey(name: keyof typeof keys, scopes: string[]) {
  const { body } = await api.post('/api/v1/keys', { name, scopes });
  keys[name] = body.secret;
  ids[name] = body.id;
}

const mail = {
  to: 'ann@example.com',
  subject: 'Your order',
  text: 'The words of the mail.',
  headers: { 'X-Order': 'header-value-4711' },
  attachments: [{ filename: 'a.txt', content: 'YXR0YWNobWVudA==' }],
};
const later = { ...mail, scheduled_datetime: '2035-03-01T09:00:00Z' };

async function sendAs(key: string | undefined, body: unknown = later): Promise<string> {
  const sent = await api.post('/api/v1/emails', body, key === undefined ? {} : { key });
  expect(sent.status).toBe(202);
  return sent.body.id;
}

const bodies: Record<string, unknown> = {
  resolveEmail: { outcome: 'sent' },
  updateScheduledEmail: { subject: 'Another subject' },
};

test('every operation on a mail, also one that is added later, is 404 for a send key of others', async () => {
  const operations = api.operations.filter(({ path }) => /emails\/\{id\}/.test(path));
  expect(operations.length).toBeGreaterThanOrEqual(9);
  for (const [whose, id] of [
    ['another key', await sendAs(keys.owner)],
    ['API_KEY', await sendAs(undefined)],
  ]) {
    for (const { id: name, method, path } of operations) {
      const { status, text } = await api.ask(
        method.toUpperCase(),
        path.replace('{id}', id ?? ''),
        bodies[name] === undefined ? { key: keys.other } : { key: keys.other, body: bodies[name] },
      );
      expect([whose, name, status]).toEqual([whose, name, 404]);
      expect(text).not.toContain('words of the mail');
    }
    // Not even by a key that may read what became of all mail.
    for (const { id: name, method, path } of operations.filter(({ method }) => method !== 'get')) {
      const asked = bodies[name] === undefined ? {} : { body: bodies[name] };
      for (const [key, expected] of [
        [keys.both, 404],
        [keys.reader, 403],
      ] as const) {
        const { status } = await api.ask(method.toUpperCase(), path.replace('{id}', id ?? ''), {
          key,
          ...asked,
        });
        expect([whose, name, status]).toEqual([whose, name, expected]);
      }
    }
    const { body } = await api.get(`/api/v1/emails/${id}`);
    expect(body).toMatchObject({ status: 'pending', revision: 1, subject: 'Your order' });
    const timeline = await api.get(`/api/v1/emails/${id}/events`);
    expect(timeline.body.data.map(({ type }: { type: string }) => type)).toEqual(['created']);
  }
});

test('the owner does all of it, and so does admin', async () => {
  const id = await sendAs(keys.owner);
  const owner = { key: keys.owner };
  const { body } = await api.get(`/api/v1/emails/${id}`, owner);
  expect(body).toMatchObject({
    text: mail.text,
    headers: [{ name: 'X-Order', value: 'header-value-4711' }],
  });
  expect((await api.get(`/api/v1/emails/${id}/events`, owner)).status).toBe(200);
  expect((await api.patch(`/api/v1/scheduled-emails/${id}`, { subject: 'New' }, owner)).status).toBe(200);
  expect((await api.patch(`/api/v1/scheduled-emails/${id}`, { subject: 'Newer' })).status).toBe(200);
  expect((await api.post(`/api/v1/emails/${id}/cancel`, undefined, owner)).status).toBe(200);
});

test('a key whose scope send was taken away reads no words any more, not even its own', async () => {
  const { body: key } = await api.post('/api/v1/keys', { name: 'narrowed', scopes: ['send'] });
  const id = await sendAs(key.secret);
  await api.query("update api_key set scopes = '{read}' where id = $1", [key.id]);
  const { status, body } = await api.get(`/api/v1/emails/${id}`, { key: key.secret });
  expect(status).toBe(200);
  expect(body).not.toHaveProperty('text');
});

test('a key that reads sees what became of all mail, and neither its words nor header values', async () => {
  const id = await sendAs(keys.owner);
  for (const key of [keys.reader, keys.both]) {
    for (const path of [`/api/v1/emails/${id}`, `/api/v1/scheduled-emails/${id}`]) {
      const { status, body, text } = await api.get(path, { key });
      expect(status).toBe(200);
      expect(body).not.toHaveProperty('text');
      expect(body.headers).toEqual([{ name: 'X-Order' }]);
      expect(text).not.toContain('header-value');
    }
    expect((await api.get(`/api/v1/emails/${id}/events`, { key })).status).toBe(200);
  }
  const mine = await sendAs(keys.both);
  const { body } = await api.get(`/api/v1/emails/${mine}`, { key: keys.both });
  expect(body).toMatchObject({ text: mail.text, headers: [{ value: 'header-value-4711' }] });
});

test('lists of a send key hold its own mail, and nothing tells how much there is of others', async () => {
  await sendAs(undefined);
  const mine = await sendAs(keys.other);
  for (const path of ['/api/v1/emails', '/api/v1/scheduled-emails']) {
    const all = await api.get(`${path}?limit=100`, { key: keys.other });
    expect(all.body.data.length).toBeGreaterThan(0);
    expect(new Set(all.body.data.map((each: { api_key_id: string }) => each.api_key_id))).toEqual(
      new Set([ids.other]),
    );
    const page = await api.get(`${path}?limit=1`, { key: keys.other });
    expect(page.body.has_more).toBe(all.body.data.length > 1);
    const read = await api.get(`${path}?limit=100`, { key: keys.reader });
    expect(read.body.data.length).toBeGreaterThan(all.body.data.length);
  }
  const { body } = await api.get('/api/v1/emails', { key: keys.other });
  expect(body.data[0].id).toBe(mine);
});

const form = (subject = 'Welcome') => ({
  enabled: true,
  recipients: ['ann@example.com'],
  emails: [{ key: 'welcome', subject, text: 'Form words.', scheduled_datetime: '2035-03-01T09:00:00Z' }],
});

test('a form belongs to the first key that saves it', async () => {
  const path = '/api/v1/client/acme/email-config';
  const saved = await api.put(path, form(), { key: keys.owner });
  expect(saved.body).toMatchObject({ emails: [{ text: 'Form words.', api_key_id: ids.owner }] });

  for (const key of [keys.other, keys.both]) {
    const refused = await api.put(path, { ...form('Taken over'), emails: [] }, { key });
    expect(refused.status).toBe(404);
    expect(refused.text).not.toContain('Form words');
  }
  expect((await api.get(path, { key: keys.other })).status).toBe(404);
  const read = await api.get(path, { key: keys.reader });
  expect(read.body.emails[0]).not.toHaveProperty('text');
  const listed = await api.get('/api/v1/client/acme/scheduled-emails', { key: keys.other });
  expect(listed.body.data).toEqual([]);
  expect((await api.get(path, { key: keys.owner })).body.emails).toMatchObject([{ subject: 'Welcome' }]);

  // Admin may change it, and it stays the key's.
  const changed = await api.put(path, form('Changed'));
  expect(changed.body).toMatchObject({
    scheduled: { updated: 1, created: 0 },
    emails: [{ api_key_id: ids.owner }],
  });
  expect((await api.put(path, form('Taken over'), { key: keys.other })).status).toBe(404);
  expect((await api.put(path, form('Again'), { key: keys.owner })).status).toBe(200);
});

test('a form without an owner, and one of a revoked key, go to the next key that saves it', async () => {
  const path = '/api/v1/client/globex/email-config';
  await api.put(path, form());
  expect((await api.get(path, { key: keys.other })).status).toBe(404);
  const taken = await api.put(path, form(), { key: keys.other });
  expect(taken.body).toMatchObject({ scheduled: { kept: 1 }, emails: [{ api_key_id: ids.other }] });
  expect((await api.put(path, form(), { key: keys.owner })).status).toBe(404);

  // What had left by then stays with whoever sent it.
  const left = '/api/v1/client/umbrella/email-config';
  const sent = (await api.put(left, form())).body.emails[0].id;
  await deliver(sent, '250 2.0.0 Ok');
  expect((await api.put(left, form(), { key: keys.other })).status).toBe(200);
  const own = await api.get(left, { key: keys.other });
  expect(own.text).not.toContain('Form words');
  expect((await api.get(`/api/v1/emails/${sent}`, { key: keys.other })).status).toBe(404);

  const { body: old } = await api.post('/api/v1/keys', { name: 'old', scopes: ['send'] });
  const theirs = '/api/v1/client/initech/email-config';
  const entry = (await api.put(theirs, form(), { key: old.secret })).body.emails[0].id;
  await api.delete(`/api/v1/keys/${old.id}`);
  expect((await api.put(theirs, form('Ours now'), { key: keys.other })).status).toBe(200);
  expect((await api.get(`/api/v1/emails/${entry}`, { key: keys.other })).body).toMatchObject({
    subject: 'Ours now',
    text: 'Form words.',
  });
});

test('a list of a key without a row of its own is empty, not everything', () => {
  const principal = { id: 'x', apiKeyId: undefined, scopes: ['send'], ratePerMinute: undefined } as const;
  expect(listedFor(principal)).toBe('00000000-0000-0000-0000-000000000000');
});

test('two keys that save a new form at once: one has it', async () => {
  const path = '/api/v1/client/race/email-config';
  const replies = await Promise.all(
    [keys.owner, keys.other, keys.both].map((key) => api.put(path, form(), { key })),
  );
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 404, 404]);
});

test("an invitation's link is shown while it waits, and to nobody once it was sent", async () => {
  const { body: created } = await api.post('/api/customers', {
    name: 'Hooli',
    email: 'ann@hooli.example',
    sendInvitation: true,
  });
  const id = created.invitation.email_id;
  const waiting = await api.get(`/api/v1/emails/${id}`);
  const token = /#token=([\w-]{43})/.exec(waiting.body.text)?.[1] ?? '';
  expect(token).not.toBe('');

  await deliver(id, `550 5.7.1 <https://app.example.com/invitation#token=${token}> is on a list`);
  for (const path of ['', '/events']) {
    const { status, text } = await api.get(`/api/v1/emails/${id}${path}`);
    expect(status).toBe(200);
    expect(text).not.toContain(token);
    expect(text).toContain('#token=(not-shown)');
  }
});

/** What the relay would have written, had the provider quoted the link. */
async function deliver(emailId: string, reply: string) {
  const queueId = emailId.replaceAll('-', '').slice(0, 16);
  await api.query(
    `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
     values ($1, $2, 'postern', 'hello@example.com', 'hello@example.com', '<x>', 10, 0)`,
    [queueId, emailId],
  );
  await api.query(
    `insert into recipient (queue_id, ordinal, email_id, address, priority, status, reply, reason_detail, finished_at)
     values ($1, 0, $2, 'ann@hooli.example', 0, 'sent', $3, $3, now())`,
    [queueId, emailId, reply],
  );
  await api.query(
    `update email set queue_id = $2, accepted_at = now(), status = 'sent', finished_at = now(), next_hand_over_at = null
     where id = $1`,
    [emailId, queueId],
  );
  await api.query(
    `insert into event (type, email_id, queue_id, detail) values ('attempt-failed', $1, $2, $3)`,
    [emailId, queueId, JSON.stringify({ reply })],
  );
}

test('the dashboard does not show the link of an invitation that was sent, in no form of the mail', async () => {
  await using dashboard = await startDashboard();
  const cookie = await dashboard.cookie();
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { cookie, 'x-postern-dashboard': '1', 'content-type': 'application/json' };
    const response = await fetch(dashboard.base + path, { ...init, headers });
    return response.text();
  };
  const created = await ask('/api/customers', {
    method: 'POST',
    body: JSON.stringify({ name: 'Hooli', email: 'ann@hooli.example', sendInvitation: true }),
  });
  const id = JSON.parse(created).invitation.email_id;
  const shown = async () => [
    await ask(`/dashboard/emails/${id}`),
    await ask(`/dashboard/emails/${id}/preview`),
    await ask(`/dashboard/emails/${id}/source`),
  ];
  const before = await shown();
  const token = /#token=([\w-]{43})/.exec(before[0] ?? '')?.[1] ?? '';
  expect(token).not.toBe('');
  expect(before[1]).toContain(token);

  const queueId = 'AAAAAAAAAAAAAAAA';
  await dashboard.query(
    `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
     values ($1, $2, 'postern', 'hello@example.com', 'hello@example.com', '<x>', 10, 0)`,
    [queueId, id],
  );
  const encoded = Buffer.from(`See https://app.example.com/invitation#token=${token}`).toString('base64');
  await dashboard.query('insert into message_part values ($1, 0, $2)', [
    queueId,
    Buffer.from(`Subject: Hello\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded}\r\n`),
  ]);
  await dashboard.query(
    `update email set queue_id = $2, accepted_at = now(), status = 'sent', finished_at = now(), next_hand_over_at = null
     where id = $1`,
    [id, queueId],
  );
  const after = await shown();
  for (const text of after) {
    expect(text).not.toContain(token);
    expect(text).not.toContain(encoded);
  }
  expect(after[1]).toContain('#token=(not-shown)');
  expect(after[2]).toContain('Subject: Hello');
});
