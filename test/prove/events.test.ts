// That no event is lost: the rules of the account, and a short run with real processes that are killed. `npm run prove`
// does the same with thousands of mails.
import { expect, test } from 'vitest';
import { ownPostgres } from '../kit/database.ts';
import { startProvider } from '../kit/provider.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { openAcknowledgements } from './acknowledgements.ts';
import { chanceOf } from './chance.ts';
import { readChanges, watchChanges } from './changes.ts';
import { reachesEndpoint, settleEvents, startEndpoint } from './endpoint.ts';
import { breachesOfEvents, reckonEvents, type Told } from './events.ts';
import { load } from './load.ts';

const key = 'Q1 ann@example.net';
const changes = [
  { key, status: 'queued' },
  { key, status: 'sent' },
];
const event = (id: string, status: string, seq: number, more: Partial<Told> = {}): Told => ({
  ...{ id, key, type: `email.${status}`, status, seq, taken: true, body: `${id} ${status}`, refusedBy: [] },
  ...more,
});
const queued = event('1', 'queued', 10);
const sent = event('2', 'sent', 11);

test('every change that was told at least once, in any order, breaks no promise', () => {
  const reckoning = reckonEvents(changes, [sent, queued, sent, sent]);
  expect(breachesOfEvents(reckoning)).toEqual([]);
  expect(reckoning).toMatchObject({ changes: 2, events: 2, requests: 4 });
});

test.each<[string, Told[], string]>([
  ['never told', [], 'event missed'],
  ['told once of two', [queued], 'event missed'],
  ['told, and never taken', [queued, { ...sent, taken: false }], 'event missed'],
  ['told under a second id', [queued, sent, event('3', 'sent', 12)], 'event invented'],
  ['told of what did not happen', [queued, sent, event('3', 'bounced', 12)], 'event invented'],
  [
    'told of a recipient nobody has',
    [queued, sent, event('4', 'queued', 1, { key: 'Q2 x' })],
    'event invented',
  ],
  ['in the wrong order of seq', [event('1', 'queued', 12), sent], 'event invented'],
  ['under another type', [queued, event('2', 'sent', 11, { type: 'email.bounced' })], 'event invented'],
  ['one id for two bodies', [queued, sent, { ...sent, body: 'other' }], 'id shared'],
  ['a signature that is refused', [queued, { ...sent, refusedBy: ['svix'] }], 'unsigned'],
])('%s', (_, told, kind) => {
  expect(breachesOfEvents(reckonEvents(changes, told))).toEqual([expect.stringContaining(kind)]);
});

const quiet = { LOG_LEVEL: 'warn' };

/** Asks for scheduled mails and cancels each: mail that the relay never has. */
async function callBack({ post }: Stack['api'], count: number): Promise<void> {
  const insist = (path: string, body: unknown, key: string, status: number) =>
    until(
      async () => {
        const answer = await post(path, body, { headers: { 'idempotency-key': key } });
        return answer.status === status && answer;
      },
      { timeoutMs: 60_000, what: key },
    );
  for (let number = 0; number < count; number++) {
    const mail = {
      to: `c${number}@example.net`,
      subject: 'x',
      text: 'x',
      scheduled_datetime: '2040-01-01T09:00:00Z',
    };
    const answer = await insist('/api/v1/emails', mail, `ask-${number}`, 202);
    await insist(`/api/v1/emails/${answer.body.id}/cancel`, undefined, `cancel-${number}`, 200);
  }
}

test('kill -9 of every process and of PostgreSQL loses no event', async () => {
  await using postgres = await ownPostgres();
  await using provider = await startProvider();
  await using stack = await startStack({
    database: postgres,
    provider,
    relay: { ...quiet, SMTP_ALLOWED_SENDERS: '*@example.com', RETRY_SCHEDULE: '1s' },
    api: { ...quiet, ...reachesEndpoint, SMTP_FROM_EMAIL: 'mailer@example.com' },
    worker: {
      ...quiet,
      ...reachesEndpoint,
      SMTP_FROM_EMAIL: 'mailer@example.com',
      WEBHOOK_RETRY_SCHEDULE: '1s,1s,1s',
    },
  });
  await watchChanges(postgres);
  await using endpoint = await startEndpoint(stack.api);
  const acknowledgements = openAcknowledgements();
  const { signal } = new AbortController();
  const submitting = load({
    ...{ stack, chance: chanceOf(1), acknowledgements, signal, sender: 'mailer@example.com' },
    ...{ messages: 80, rate: 40, submitters: 4, askers: 0 },
  });
  const calledBack = callBack(stack.api, 20);
  for (const [count, victim] of [stack.worker, stack.relay, stack.api].entries()) {
    await until(() => acknowledgements.count > count * 20, { timeoutMs: 60_000, what: 'mail to flow' });
    victim.process.kill('SIGKILL');
    await victim.process.exited;
    await victim.start();
  }
  await postgres.kill();
  await postgres.start();
  await Promise.all([submitting, calledBack]);
  // Nothing changes any more; what is uncertain would wait for a quarter of an hour.
  stack.relay.process.kill('SIGTERM');
  await stack.relay.process.exited;
  // The lease of the worker that was killed would last for 25 s.
  await postgres.query(
    `update webhook_delivery set next_attempt_at = now() where next_attempt_at > now() + interval '2 s'`,
  );
  expect(await settleEvents(postgres)).toBe(0);
  const reckoning = reckonEvents(await readChanges(postgres), endpoint.told);
  expect(breachesOfEvents(reckoning)).toEqual([]);
  expect(reckoning.changes).toBeGreaterThan(100);
  expect(endpoint.failed).toBeGreaterThan(30);
}, 180_000);
