import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const person = 'Jane.Doe+secret@example.com';

test('after an erasure nothing in the database knows the address or what was written to it', async () => {
  const mail = (to: unknown) => ({
    to,
    subject: 'For Jane Doe',
    text: `Dear Jane, your diagnosis of ${person}`,
    attachments: [{ filename: 'a.txt', content: 'SmFuZQ==' }],
  });
  const headers = { 'idempotency-key': 'jane' };
  const waiting = await api.post(
    '/api/v1/emails',
    mail([{ address: person, name: 'Jane Doe' }, 'bob@example.com']),
    {
      headers,
    },
  );
  const left = await api.post('/api/v1/emails', mail(person));
  const other = await api.post('/api/v1/emails', {
    ...mail('bob@example.com'),
    text: 'Hello Bob.',
    subject: 'For Bob',
  });
  await deliver(left.body.id);
  await api.post('/api/onboarding/applications', {
    company: 'X',
    contact_name: 'Jane Doe',
    email: person,
    message: 'Jane',
  });

  const { status, body } = await api.delete(`/api/v1/recipients/${encodeURIComponent(person.toLowerCase())}`);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    erased: { emails: 2, messages: 0, applications: 1 },
    still_leaving: 0,
    customer_ids: [],
  });

  for (const table of [
    'email',
    'event',
    'recipient',
    'application',
    'idempotency_key',
    'email_attachment',
    'message_part',
  ]) {
    const { rows } = await api.query<{ found: string }>(
      `select t::text as found from ${table} t where t::text ~* 'jane' or t::text ~* encode('jane', 'hex')`,
    );
    expect([table, rows]).toEqual([table, []]);
  }
  expect((await api.get(`/api/v1/emails/${waiting.body.id}`)).body).toMatchObject({
    status: 'cancelled',
    subject: '(erased)',
    to: [
      { address: 'erased@erased.invalid', name: null },
      { address: 'bob@example.com', name: null },
    ],
  });
  expect((await api.get(`/api/v1/emails/${left.body.id}`)).body).toMatchObject({
    status: 'sent',
    recipients: [
      {
        address: 'erased@erased.invalid',
        status: 'sent',
        reply_code: 250,
        reply: '250 2.1.5 <erased@erased.invalid> ok',
      },
    ],
  });
  expect((await api.get(`/api/v1/emails/${other.body.id}`)).body).toMatchObject({
    subject: 'For Bob',
    text: 'Hello Bob.',
  });
});

test('customer accounts are named, not deleted along', async () => {
  const { body } = await api.post('/api/customers', { name: 'Kim', email: 'kim@example.com' });
  const erased = await api.delete('/api/v1/recipients/kim@example.com');
  expect(erased.body.customer_ids).toEqual([body.customer.id]);
  expect((await api.get(`/api/customers/${body.customer.id}`)).status).toBe(200);
});

/** What the relay would have written: the provider took it, and its reply quotes the address. */
async function deliver(emailId: string) {
  const queueId = emailId.replaceAll('-', '').slice(0, 16);
  await api.query(
    `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
     values ($1, $2, 'postern', 'hello@example.com', 'hello@example.com', '<x>', 10, 0)`,
    [queueId, emailId],
  );
  await api.query('insert into message_part values ($1, 0, $2)', [queueId, Buffer.from('jane')]);
  await api.query(
    `insert into recipient (queue_id, ordinal, email_id, address, priority, status, reply_code, reply, finished_at)
     values ($1, 0, $2, $3, 0, 'sent', 250, $4, now())`,
    [queueId, emailId, person, `250 2.1.5 <${person}> ok`],
  );
  await api.query(
    `update email set queue_id = $2, accepted_at = now(), status = 'sent', finished_at = now(), next_hand_over_at = null
     where id = $1`,
    [emailId, queueId],
  );
  await api.query(
    `insert into event (type, email_id, queue_id, recipient, detail) values ('sent', $1, $2, $3, $4)`,
    [emailId, queueId, person, JSON.stringify({ reply: `250 <${person}> ok` })],
  );
}
