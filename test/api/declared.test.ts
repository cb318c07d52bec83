// Answers that only a relay and a provider can bring about, held against what their operations declare: the api of
// this process stands on the database of a real stack, and every answer it gives is compared (conformance.ts).
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acceptThen, drop } from '../kit/misbehaviour.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { type Api, startApi } from './in-process.ts';

let stack: Stack;
let api: Api;
beforeAll(async () => {
  stack = await startStack({ processes: ['relay', 'worker'] });
  api = await startApi({
    url: stack.database.url,
    from: { address: stack.provider.user },
  });
});
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

const mail = { to: ['ann@example.com'], subject: 'Receipt', text: 'Thank you.' };

const becomes = (id: string, status: string) =>
  until(async () => (await api.get(`/api/v1/emails/${id}`)).body.status === status, {
    what: `the mail to be ${status}`,
    timeoutMs: 20_000,
  });

test('a test mail that arrived tells its stages', async () => {
  await until(async () => (await api.get('/api/v1/email-status')).body.relay === 'running');
  const { status, body } = await api.post('/api/v1/test-email', {});
  expect([status, body.sent, body.stages.at(-1)?.stage]).toEqual([200, true, 'accepted']);
});

test('scheduled mail that is sent now has a timeline to its end', async () => {
  const asked = { ...mail, scheduled_datetime: new Date(Date.now() + 3_600_000).toISOString() };
  const { body } = await api.post('/api/v1/emails', asked);
  expect((await api.post(`/api/v1/scheduled-emails/${body.id}/send-now`)).status).toBe(200);
  await becomes(body.id, 'sent');
  const { body: timeline } = await api.get(`/api/v1/emails/${body.id}/events`);
  expect(timeline.data.at(-1)).toMatchObject({ type: 'sent', recipient: 'ann@example.com' });
});

test('mail whose final reply was lost is uncertain until a person says what became of it', async () => {
  stack.provider.on('dot', acceptThen(drop), { times: 1 });
  const { body } = await api.post('/api/v1/emails', mail);
  await becomes(body.id, 'uncertain');
  const { status, body: resolved } = await api.post(`/api/v1/emails/${body.id}/resolve`, { outcome: 'sent' });
  expect([status, resolved.status]).toEqual([200, 'sent']);
});
