// The api beside the real relay and a real provider.
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const newcomer = (name: string) => ({
  name,
  email: `${name.toLowerCase()}@example.com`,
  owner: { name: `${name} Owner`, email: `${name.toLowerCase()}.owner@example.com` },
  sendInvitation: true,
});

test('an invitation reaches the provider, and its timeline tells every step', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  const { status, body } = await stack.api.post('/api/customers', newcomer('Bakery'));
  expect(status).toBe(201);

  const path = `/api/v1/emails/${body.invitation.email_id}`;
  const email = await until(
    async () => {
      const answer = await stack.api.get(path);
      return answer.body.status === 'sent' && answer.body;
    },
    { what: 'the mail to be sent' },
  );
  expect(email.recipients).toEqual([
    expect.objectContaining({ address: 'bakery.owner@example.com', status: 'sent', reply_code: 250 }),
  ]);
  expect(email.recipients[0].reply).toMatch(/queued/i);
  expect(stack.provider.messages).toHaveLength(1);
  const { body: timeline } = await stack.api.get(`${path}/events`);
  const types = timeline.data.map(({ type }: { type: string }) => type);
  expect(types.slice(0, 2)).toEqual(['created', 'queued']);
  expect(types).toContain('sent');

  // Mail of another application beside it, and the same once more.
  const { user, password } = stack.relay.application;
  const transport = createTransport({
    host: '127.0.0.1',
    port: stack.relay.port,
    ignoreTLS: true,
    auth: { user, pass: password },
  });
  const from = stack.provider.user;
  await transport.sendMail({ from, to: 'kim@example.net', subject: 'Report', text: 'Seven pages' });
  await until(() => stack.provider.messages.length === 2, { what: 'the report' });
  const { body: submitted } = await stack.api.get('/api/v1/submitted-emails');
  const again = await stack.api.post(`/api/v1/submitted-emails/${submitted.data[0].id}/send-again`);
  expect(again.status, JSON.stringify(again.body)).toBe(202);
  await until(() => stack.provider.messages.length === 3, { what: 'the report again' });
  const [, first, second] = stack.provider.messages;
  expect(second?.messageId).toBe(again.body.message_id);
  expect(second?.messageId).not.toBe(first?.messageId);
});

test('an idempotent request is replayed byte by byte, also when its mail has moved on meanwhile', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  const headers = { 'idempotency-key': 'moved-on' };
  const first = await stack.api.post('/api/customers', newcomer('Moved'), { headers });
  expect(first.body.invitation.status).not.toBe('pending');
  await until(() => stack.provider.messages.length, { what: 'the mail' });
  const again = await stack.api.post('/api/customers', newcomer('Moved'), { headers });
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(again.body).toEqual(first.body);
});

test('mail behind a refused password stays queued and says what it waits for', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  stack.provider.on('auth', '535 5.7.8 Authentication failed');
  const { body } = await stack.api.post('/api/customers', newcomer('Patient'));

  const email = await until(
    async () => {
      const answer = await stack.api.get(`/api/v1/emails/${body.invitation.email_id}`);
      return answer.body.waiting_for && answer.body;
    },
    { what: 'the mail to say what it waits for', timeoutMs: 20_000 },
  );
  expect(email.status).toBe('queued');
  expect(email.waiting_for.detail).toMatch(/^535/);
  expect(email.waiting_for.fix).toContain('SMTP_PASSWORD');
});

test('why scheduled mail does not leave is answered in one request, and how late it was by each mail', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  const scheduler = async () => [
    (await stack.api.get('/api/v1/email-status', { key: null })).body.scheduler,
    (await stack.api.get('/readyz?verbose', { key: null })).body.scheduler,
  ];
  expect(await scheduler()).toEqual(Array(2).fill({ running: false, last_tick: null }));
  const { body: asked } = await stack.api.post('/api/v1/emails', {
    to: ['ann@example.com'],
    subject: 'Later',
    text: 'Hello.',
    scheduled_datetime: new Date(Date.now() + 200).toISOString(),
  });

  await stack.worker.start();
  const running = { running: true, last_tick: expect.any(String) };
  await until(async () => (await scheduler()).every(({ last_tick: tick }) => tick), { what: 'a first tick' });
  expect(await scheduler()).toEqual(Array(2).fill(running));
  const { body: mail } = await until(async () => {
    const answer = await stack.api.get(`/api/v1/scheduled-emails/${asked.id}`);
    return answer.body.status === 'sent' && answer;
  });
  expect(mail.lateness_ms).toBeGreaterThanOrEqual(0);
  await until(
    async () =>
      /^postern_email_lateness_seconds_count{.*} 1$/m.test(
        await (await fetch(`${stack.worker.healthUrl}/metrics`)).text(),
      ),
    { what: 'the worker to tell how late it was' },
  );
});
