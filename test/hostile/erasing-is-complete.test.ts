// Attack: a person was erased, and somebody looks for them in every column of every table.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { personalTables } from '../../api/recipients/personal.ts';
import { personOf } from '../../relay/client/erasure/person.ts';
import { type Api, startApi } from '../api/in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

// The local part stands nowhere else, so that finding it means finding the person.
const person = 'Jane.Q+Marked@mail.example';
const erase = (address = person) => api.delete(`/api/v1/recipients/${encodeURIComponent(address)}`);

test('the list knows every column that can hold text, of every table, and no other', async () => {
  const { rows } = await api.query<{ table_name: string; column_name: string; data_type: string }>(
    `select c.table_name, c.column_name, c.data_type
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and t.table_type = 'BASE TABLE' order by 1, 2`,
  );
  const harmless =
    /^(?:uuid|integer|bigint|smallint|boolean|interval|double precision|timestamp with time zone)$/;
  const known = new Set(
    Object.entries(personalTables).flatMap(([table, { columns }]) => [
      table,
      ...Object.keys(columns).map((column) => `${table}.${column}`),
    ]),
  );
  const holdsText = rows.filter(
    ({ column_name: name, data_type: type }) => !harmless.test(type) && !/^(?:status|state)$/.test(name),
  );
  const unknown = holdsText
    .map(({ table_name, column_name }) => `${table_name}.${column_name}`)
    .concat(rows.map(({ table_name }) => table_name))
    .filter((name) => !known.has(name));
  expect(
    [...new Set(unknown)],
    'decide what an erasure does to these: relay/client/erasure/personal.ts',
  ).toEqual([]);
  const there = new Set(
    rows.flatMap(({ table_name, column_name }) => [table_name, `${table_name}.${column_name}`]),
  );
  expect([...known].filter((name) => !there.has(name))).toEqual([]);
});

const inBase64 = (text: string) =>
  Buffer.from(text)
    .toString('base64')
    .replaceAll(/(.{76})/g, '$1\r\n');

/** Jane in everything that a request, a provider or an application can write. */
async function fill() {
  const words = `Ask ${person}, or https://app.example.com/leave?mail=${encodeURIComponent(person)} now`;
  const mail = (to: unknown, more = {}) => ({
    to,
    subject: `About ${person}`,
    text: words,
    html: `<p>${words}</p>`,
    headers: { 'X-About': person },
    attachments: [
      { filename: 'list.csv', content: Buffer.from(`name;mail\nJane;${person}\n`).toString('base64') },
      { filename: `${person}.txt`, content: 'QQ==' },
      { filename: 'harmless.txt', content: Buffer.from('keep me').toString('base64') },
    ],
    ...more,
  });
  const later = { scheduled_datetime: '2035-01-01T00:00:00Z' };
  const toHer = await api.post(
    '/api/v1/emails',
    mail([{ address: person, name: person }, 'bob@example.com']),
    {
      headers: { 'idempotency-key': `order-of-${person}` },
    },
  );
  const toBob = await api.post(
    '/api/v1/emails',
    mail('bob@example.com', { reply_to: [person, 'c@example.com'] }),
  );
  const toBobLater = await api.post(
    '/api/v1/emails',
    mail('bob@example.com', { ...later, reply_to: person }),
  );
  for (const [queueId, id, address] of [
    ['MARKEDTOHER00001', toHer.body.id, person],
    ['MARKEDTOBOB00001', toBob.body.id, 'bob@example.com'],
  ]) {
    await deliver(queueId ?? '', id, { address, reply: `250 ok, <${person}> wrote` });
  }
  const form = (recipients: unknown[], more = {}) => ({
    enabled: true,
    recipients,
    from_name: person,
    emails: [
      {
        key: `greet ${person}`,
        subject: 'Hello',
        text: 'Hello.',
        scheduled_datetime: '2035-01-01T00:00:00Z',
      },
    ],
    ...more,
  });
  const shared = '/api/v1/client/shared/email-config';
  const saved = await api.put(shared, form([person, 'bob@example.com'], { reply_to: [person] }));
  await api.put(`/api/v1/client/${encodeURIComponent(person)}/email-config`, form(['bob@example.com']));
  await api.put('/api/v1/client/hers/email-config', form([person]));

  const application = { company: `${person} Ltd`, contact_name: person, email: person, message: words };
  await api.post('/api/onboarding/applications', application);
  const others = await api.post('/api/onboarding/applications', {
    ...application,
    email: 'other@example.com',
    website: `https://example.com/${person}`,
  });
  await api.query('update application set note = $1, reason = $1, phone = $1', [words]);
  await api.post('/api/customers', {
    name: `Shop of ${person}`,
    email: 'shop@example.com',
    owner: { name: person, email: 'owner@example.com' },
  });
  await api.post('/api/v1/keys', { name: `key of ${person}`, scopes: ['send'] });
  await api.query(
    `insert into template (kind, subject, text, html) values ('rejection', $1, $1, $1)
     on conflict (kind) do update set subject = $1, text = $1, html = $1`,
    [`Write to ${person}`],
  );
  await api.query(
    `insert into lane (key, name, state, cause, detail, next_probe_at) values ('l', 'l', 'paused', 'x', $1, now())`,
    [words],
  );
  await api.query(
    `insert into sender_hold (lane, sender, cause, detail, next_probe_at) values ('l', 's@example.com', 'x', $1, now())`,
    [words],
  );
  await api.query(
    `insert into dashboard_user (id, name, role, issuer, subject) values (gen_random_uuid(), $1, 'view', 'https://id.example.com', 's')`,
    [person],
  );
  await api.query(`insert into sign_in (lane, worked, reply) values ('l', false, $1)`, [words]);
  await api.query(
    `insert into unknown_reply (fingerprint, template, cause) values ('\\x01', $1, 'unknown')`,
    [words],
  );
  await api.query(
    `insert into refusal (key, client, credential, stage, reason, sender, reply, count)
     values ('r', '192.0.2.1', $1, 'rcpt', 'bad-address', $1, $2, 1)`,
    [person, words],
  );
  await api.query(
    `insert into suppression (id, address, digest, reason, reply, note)
     values (gen_random_uuid(), $1, suppression_digest('jane.q+marked@mail.example'), 'bounce', $2, $2)`,
    [person, words],
  );
  await api.query(
    `insert into webhook_delivery (id, webhook_id, type, data, answer, error)
     values (gen_random_uuid(), gen_random_uuid(), 'email.bounced', $1, $2, $2)`,
    [JSON.stringify({ recipient: person, reply: words }), words],
  );
  await api.query(
    `insert into doctor_run (id, taken_by, walks, report, finished_at)
     values (gen_random_uuid(), gen_random_uuid(), $1, $1, now())`,
    [JSON.stringify([{ said: `a line\n${person}\n` }])],
  );
  await submit();
  return { toHer, toBob, toBobLater, saved, others };
}

async function deliver(
  queueId: string,
  emailId: string,
  { address, reply }: { address?: string; reply: string },
) {
  await insertMessage(queueId, emailId);
  await api.query(
    `insert into recipient
       (queue_id, ordinal, email_id, address, priority, status, reply, reason_detail, provider_queue_id, finished_at,
        sent_by)
     values ($1, 0, $2, $3, 0, 'sent', $4, $4, $5, now(), $6)`,
    [queueId, emailId, address, reply, person, JSON.stringify({ reply })],
  );
  await api.query(
    `update email set queue_id = $2, accepted_at = now(), status = 'sent', reason_detail = $3, finished_at = now(),
       next_hand_over_at = null
     where id = $1`,
    [emailId, queueId, reply],
  );
  await api.query(
    `insert into event (type, email_id, queue_id, recipient, detail) values ('sent', $1, $2, $3, $4)`,
    [emailId, queueId, address, JSON.stringify({ reply, lines: `one\n${person}\nthree` })],
  );
  await insertPart(queueId, 0, inBase64(`Dear reader, ${person} is a person.`));
}

const insertMessage = (queueId: string, emailId: string | null, sender = 'hello@example.com') =>
  api.query(
    `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority, submitted, subject)
     values ($1, $2, 'shop', $3, $3, $4, 10, 0, $5, $6)`,
    [
      queueId,
      emailId,
      sender,
      `<${sender}>`,
      JSON.stringify({ fromWas: `Her <${sender}>` }),
      `From ${sender}`,
    ],
  );

const insertPart = (queueId: string, part: number, content: string) =>
  api.query('insert into message_part values ($1, $2, $3)', [queueId, part, Buffer.from(content)]);

const someLines = `${'Some other line of an ordinary mail.\r\n'.repeat(40)}`;
const bytesOf: Record<string, string[]> = {
  SUBMITTEDCC00001: [`To: bob@example.com\r\nCc: =?utf-8?q?J?= <${person.toUpperCase()}>\r\n\r\nHello.\r\n`],
  SUBMITTEDQP00001: [`\r\n${someLines}write to Jane.Q+Mar=\r\nked=40mail=2Eexample=20now\r\n`],
  SUBMITTED6400001: [`\r\n${inBase64(`${'x'.repeat(500)} ${person.toLowerCase()} ${'y'.repeat(300)}`)}\r\n`],
  SUBMITTEDCUT0001: [`\r\n${someLines}write to Jane.Q+Ma`, `rked@mail.example now\r\n${someLines}`],
  SUBMITTEDCUT6402: split(
    `\r\n${inBase64(`${'z'.repeat(3_000)}\n${person}\n${'z'.repeat(3_000)}`)}\r\n`,
    4_090,
  ),
};
const kept = { SUBMITTEDOTHER01: [`To: not${person}\r\n\r\n${person}.br is somebody else.\r\n`] };

function split(text: string, at: number): string[] {
  return [text.slice(0, at), text.slice(at)];
}

async function submit() {
  for (const [queueId, parts] of Object.entries({ ...bytesOf, ...kept })) {
    await insertMessage(queueId, null, queueId in kept ? undefined : person);
    await api.query(
      `insert into recipient (queue_id, ordinal, address, priority, status, finished_at)
       values ($1, 0, 'bob@example.com', 0, 'sent', now())`,
      [queueId],
    );
    for (const [index, content] of parts.entries()) await insertPart(queueId, index, content);
  }
}

/** Every value of every column of every table, of every schema, that tells the person in any spelling of it. */
async function whereabouts(address = person): Promise<string[]> {
  const { rows: columns } = await api.query<{ table: string; column: string; type: string }>(
    `select quote_ident(c.table_schema) || '.' || quote_ident(c.table_name) as table,
            quote_ident(c.column_name) as column, c.data_type as type
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema not in ('pg_catalog', 'information_schema') and t.table_type = 'BASE TABLE'`,
  );
  const found: string[] = [];
  for (const { table, column, type } of columns) {
    const { rows } = await api.query<{ value: Buffer | string }>(
      `select ${type === 'bytea' ? column : `${column}::text`} as value from ${table} where ${column} is not null`,
    );
    const text = rows.map(({ value }) => (Buffer.isBuffer(value) ? readable(value) : value)).join('\n');
    if (spellingsOf(address).some((spelling) => text.toLowerCase().includes(spelling)))
      found.push(table + column);
  }
  return found.sort();
}

/** What a mail reader would make of bytes, in every transfer encoding at once. */
function readable(bytes: Buffer): string {
  const raw = bytes.toString('latin1');
  const unfolded = raw.replaceAll(/=\r?\n/g, '');
  const quoted = unfolded.replaceAll(/=([0-9A-F]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const blocks = raw.match(/(?:[A-Za-z0-9+/]{20,}={0,2}\r?\n?)+/g) ?? [];
  return [raw, quoted, ...blocks.map((block) => Buffer.from(block, 'base64').toString('latin1'))].join('\n');
}

const spellingsOf = (address: string) => [address.toLowerCase(), encodeURIComponent(address).toLowerCase()];

test('after an erasure no column of any table tells the person, and nothing of others is lost', async () => {
  const { toHer, toBob, toBobLater, saved, others } = await fill();
  const before = await whereabouts();
  // The filling reaches what it means to reach; a column that is forgotten there would prove nothing.
  const redacted = Object.entries(personalTables).flatMap(([table, { columns }]) =>
    Object.entries(columns)
      .filter(([, treatment]) => treatment === 'words' || treatment === 'document')
      .map(([column]) => `public.${table}${column}`),
  );
  expect(redacted.filter((column) => !before.includes(column))).toEqual([]);

  const first = await erase(person.toLowerCase());
  expect(first.body).toMatchObject({ erased: { emails: 2, applications: 1 }, still_leaving: 0 });
  expect(await whereabouts()).toEqual([
    // Somebody else's, whose addresses end and begin like hers.
    'public.message_partcontent',
  ]);
  const { rows: left } = await api.query<{ queue_id: string }>('select distinct queue_id from message_part');
  expect(left.map(({ queue_id }) => queue_id)).toEqual(Object.keys(kept));

  expect((await api.get(`/api/v1/emails/${toHer.body.id}`)).body).toMatchObject({ subject: '(erased)' });
  expect((await api.get(`/api/v1/emails/${toBob.body.id}`)).body).toMatchObject({
    status: 'sent',
    subject: 'About erased@erased.invalid',
    reply_to: [{ address: 'c@example.com' }],
    to: [{ address: 'bob@example.com' }],
  });
  expect((await api.get(`/api/v1/emails/${toBobLater.body.id}`)).body).toMatchObject({
    status: 'pending',
    reply_to: [],
    text: expect.stringContaining('Ask erased@erased.invalid, or'),
  });
  const { rows: attachments } = await api.query<{ filename: string }>(
    'select filename from email_attachment where email_id = $1',
    [toBobLater.body.id],
  );
  expect(attachments.map(({ filename }) => filename)).toEqual(['harmless.txt']);
  // The form goes on for Bob, with the same mail.
  const entry = saved.body.emails[0].id;
  expect((await api.get(`/api/v1/emails/${entry}`)).body).toMatchObject({
    status: 'pending',
    to: [{ address: 'bob@example.com' }],
  });
  expect((await api.get('/api/v1/client/shared/email-config')).body.config).toMatchObject({
    recipients: [{ address: 'bob@example.com' }],
    reply_to: [],
  });
  expect((await api.get(`/api/admin/onboarding/applications/${others.body.id}`)).body).toMatchObject({
    email: 'other@example.com',
  });
  const again = await erase();
  expect(again.body).toMatchObject({ erased: { emails: 0, messages: 0, applications: 0 }, still_leaving: 0 });
});

test('mail that the relay has is counted, and erased when it is over', async () => {
  const someone = 'late@example.org';
  const { body } = await api.post('/api/v1/emails', {
    to: 'bob@example.com',
    subject: 'Hello',
    text: `Ask ${someone}.`,
  });
  const queueId = 'ONITSWAY00000001';
  await insertMessage(queueId, body.id);
  await insertPart(queueId, 0, `\r\nAsk ${someone}.`);
  await api.query(
    `insert into recipient (queue_id, ordinal, email_id, address, priority, status, next_attempt_at)
     values ($1, 0, $2, 'bob@example.com', 0, 'queued', now())`,
    [queueId, body.id],
  );
  await api.query(
    `update email set queue_id = $2, accepted_at = now(), status = 'queued', next_hand_over_at = null where id = $1`,
    [body.id, queueId],
  );
  expect((await erase(someone)).body).toMatchObject({ still_leaving: 1 });
  await api.query(
    `update recipient set status = 'sent', next_attempt_at = null, finished_at = now() where queue_id = $1`,
    [queueId],
  );
  expect((await erase(someone)).body).toMatchObject({ still_leaving: 0 });
  expect(await whereabouts(someone)).toEqual([]);
});

test('both forms of a domain are the same person', async () => {
  const { body } = await api.post('/api/v1/emails', {
    to: 'ann@xn--bcher-kva.example',
    subject: 'Hello',
    text: 'Hello.',
  });
  expect((await erase('ann@bücher.example')).body).toMatchObject({ erased: { emails: 1 } });
  expect((await api.get(`/api/v1/emails/${body.id}`)).body.to).toEqual([
    { address: 'erased@erased.invalid', name: null },
  ]);
});

test('an address is found in every encoding, and one that only looks alike is not', () => {
  const { isIn } = personOf('a.b+c@d.example');
  for (const text of [
    'A.B+C@D.EXAMPLE',
    'x a.b%2Bc%40d.example&y',
    'a=2Eb=2Bc=40d.exam=\r\nple',
    `=?utf-8?b?${Buffer.from('Hello, a.b+c@d.example!').toString('base64')}?=`,
    inBase64(`${'é'.repeat(200)} <a.b+c@d.example>`),
  ]) {
    expect([text, isIn(Buffer.from(text))]).toEqual([text, true]);
  }
  for (const text of ['xa.b+c@d.example', 'aXb+c@d.example', 'a.b+c@d.example.org', 'a.b+c@d.examples']) {
    expect([text, isIn(Buffer.from(text))]).toEqual([text, false]);
  }
});
