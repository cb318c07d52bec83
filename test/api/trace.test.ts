// One trace from the request to the attempt, through real processes.
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const callersSpan = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${callersSpan}-01`;

const mail = (to: string) => ({ to: [to], subject: 'Receipt', text: 'Thank you.' });

test('the caller’s trace is in the mail, in its timeline, and in every line of the request and of each attempt', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  // Of this mail alone: the relay's preflight says RCPT as well.
  const when = ({ recipient }: { recipient?: string }) => recipient === 'ann@example.com';
  stack.provider.on('rcpt', '450 4.2.1 Mailbox busy', { times: 1, when });
  const headers = { traceparent };
  const { body } = await stack.api.post('/api/v1/emails', mail('ann@example.com'), { headers });
  expect(body.trace_id).toBe(traceId);
  await until(
    async () => {
      const { body: now } = await stack.api.get(`/api/v1/emails/${body.id}`);
      if (now.status === 'deferred') await stack.api.post(`/api/v1/emails/${body.id}/retry`);
      return now.status === 'sent';
    },
    { what: 'the mail to be sent at the second attempt', timeoutMs: 20_000 },
  );

  const { body: timeline } = await stack.api.get(`/api/v1/emails/${body.id}/events`);
  expect(timeline.data.length).toBeGreaterThan(3);
  for (const event of timeline.data) expect(event).toMatchObject({ trace_id: traceId });
  const requests = stack.api.process.log.filter((line) => line.route === '/api/v1/emails');
  expect(requests).toEqual([expect.objectContaining({ traceId })]);
  const linesOf = () => stack.relay.process.log.filter(({ emailId }) => emailId === body.id);
  const lines = await until(() => linesOf().length >= 5 && linesOf(), { what: 'the relay to have told all' });
  const events = lines.map(({ event }) => event).sort();
  expect(events).toEqual(['attempt', 'attempt', 'deferred', 'queued', 'sent']);
  for (const line of lines) expect(line).toMatchObject({ traceId });
});

test('without a traceparent a request begins a trace of its own, also where another one shares its transaction', async () => {
  await using stack = await startStack({ processes: ['api'] });
  const newcomer = (n: number) => ({ name: `C${n}`, email: `c${n}@example.com`, sendInvitation: true });
  const [given, ...begun] = await Promise.all(
    [0, 1, 2].map(async (n) => {
      const headers = n === 0 ? { traceparent } : {};
      const { body } = await stack.api.post('/api/customers', newcomer(n), { headers });
      return (await stack.api.get(`/api/v1/emails/${body.invitation.email_id}`)).body.trace_id;
    }),
  );
  expect(given).toBe(traceId);
  for (const id of begun) expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set([given, ...begun]).size).toBe(3);
});

test('with an SDK there is a span of the request, of the hand-over by the worker, and of the attempt', async () => {
  const spans = { NODE_OPTIONS: `--import=${new URL('../kit/spans.ts', import.meta.url).href}` };
  await using stack = await startStack({ processes: ['api'], api: spans, relay: spans, worker: spans });
  const headers = { traceparent };
  const { body } = await stack.api.post('/api/v1/emails', mail('ann@example.com'), { headers });
  expect(body.status).toBe('pending');
  await stack.relay.start();
  await stack.worker.start();
  await until(() => stack.provider.messages.length, { what: 'the mail at the provider' });

  const spansOf = ({ process: { log } }: { process: typeof stack.api.process }, name: string) =>
    until(
      () => {
        const found = log.filter((line) => line.msg === 'span' && line.name === name);
        return found.length > 0 && found;
      },
      { what: `the span ${name}` },
    );
  const [request] = await spansOf(stack.api, 'POST /api/v1/emails');
  expect(request).toMatchObject({ traceId, parentSpanId: callersSpan, 'http.response.status_code': 202 });
  const [inVain] = await spansOf(stack.api, 'hand-over');
  expect(inVain).toMatchObject({ traceId, parentSpanId: request?.spanId, failure: expect.any(String) });
  const handOver = (await spansOf(stack.worker, 'hand-over')).at(-1);
  expect(handOver).toMatchObject({ traceId, parentSpanId: request?.spanId, 'postern.email_id': body.id });
  const [attempt] = await spansOf(stack.relay, 'attempt');
  expect(attempt).toMatchObject({
    traceId,
    parentSpanId: request?.spanId,
    'postern.queue_id': handOver?.['postern.queue_id'],
    'postern.statuses': ['sent'],
  });
  expect(attempt).not.toHaveProperty('failure');
});
