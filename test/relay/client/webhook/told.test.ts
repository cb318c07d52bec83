// Every change of a status that somebody has to hear of becomes a delivery for each endpoint, in the transaction of the
// change, whoever makes it.
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../../deploy/database.ts';
import { openLog } from '../../../../deploy/log.ts';
import { insertEmail } from '../../../../relay/client/email/insert.ts';
import { cancelEmail } from '../../../../relay/client/outbox/cancel.ts';
import { claimDueMail } from '../../../../relay/delivery/queue/claim.ts';
import { reapLeases } from '../../../../relay/delivery/queue/leases.ts';
import { type Change, openResults } from '../../../../relay/delivery/queue/results.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../../kit/database.ts';
import { until } from '../../../kit/until.ts';
import { queueMail } from '../../delivery/way-out.ts';

const silentLog = openLog('relay', 'silent');

let given: TestDatabase;
let relay: Database;
let api: Database;
beforeEach(async () => {
  given = await freshDatabase();
  const as = (process: 'api' | 'relay') =>
    openDatabase({ url: urlOfProcess(given.url, process), applicationName: 'test', max: 2 });
  relay = as('relay');
  api = as('api');
});
afterEach(async () => {
  await relay[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
  await given.stop();
});

type Endpoint = { events?: string[]; tags?: object[]; state?: string; cause?: string };

async function listen({ events, tags = [], state = 'enabled', cause }: Endpoint = {}): Promise<string> {
  const id = randomUUID();
  await given.query(
    `insert into webhook (id, url, events, tags, state, disabled_cause)
     values ($1, 'https://shop.example/mail', $2, $3, $4, $5)`,
    [id, events ?? null, JSON.stringify(tags), state, cause ?? null],
  );
  return id;
}

type Told = { id: string; webhook_id: string; type: string; data: Record<string, unknown> };

const told = async (webhook?: string) =>
  (
    await given.query<Told>(
      `select id, webhook_id, type, data from webhook_delivery where $1::uuid is null or webhook_id = $1
       order by at, data -> 'seq', data ->> 'recipient'`,
      [webhook ?? null],
    )
  ).rows;
const types = async (webhook?: string) => (await told(webhook)).map(({ type }) => type);

async function claim() {
  const [mail] = await claimDueMail(relay, { instance: randomUUID(), leaseMs: 60_000, limit: 10 });
  if (!mail) throw new Error('nothing to claim');
  return mail;
}

async function settle(status: Change['status'], more: Partial<Change> = {}) {
  const { queueId, token } = await claim();
  await openResults(relay, silentLog, () => {}).store({
    changes: [
      {
        queueId,
        emailId: null,
        token,
        ordinal: 0,
        markedAt: null,
        resends: 0,
        status,
        counts: true,
        ...more,
      },
    ],
    entries: [],
  });
}

test('each recipient has its events, in an order that seq tells, with what is known of it', async () => {
  await listen();
  const { queueId, messageId } = await queueMail(given.query, { to: ['ann@example.org'] });
  await settle('deferred', {
    reason: 'greylisted',
    replyCode: 451,
    reply: '451 later',
    stage: 'mail',
    delaySeconds: 0,
  });
  await settle('sent', { reply: '250 ok', replyCode: 250, route: 'smtp.example.com:465' });

  const events = await told();
  expect(events.map(({ type }) => type)).toEqual(['email.queued', 'email.deferred', 'email.sent']);
  expect(events.map(({ data }) => data.stage)).toEqual([null, 'mail', 'accepted']);
  expect(events[2]?.data).toEqual({
    ...{
      email_id: null,
      queue_id: queueId,
      message_id: messageId,
      recipient: 'ann@example.org',
      status: 'sent',
    },
    ...{
      cause: null,
      title: null,
      stage: 'accepted',
      code: 250,
      reply: '250 ok',
      route: 'smtp.example.com:465',
    },
    ...{ attempt: 2, tags: [], customer_id: null, client_id: null, seq: expect.any(Number) },
  });
  const seqs = events.map(({ data }) => Number(data.seq));
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  expect(new Set(events.map(({ id }) => id)).size).toBe(3);
});

test('one event is alike at every endpoint, and each hears only what it wants', async () => {
  const all = await listen();
  const bounces = await listen({ events: ['email.bounced', 'email.sent'] });
  await queueMail(given.query);
  await settle('sent', { reply: '250 ok' });
  expect(await types(all)).toEqual(['email.queued', 'email.sent']);
  expect(await types(bounces)).toEqual(['email.sent']);
  expect((await told(bounces))[0]?.id).toBe((await told(all))[1]?.id);
});

test('an endpoint with tags hears of mail that has one of them', async () => {
  const [shop, red] = [
    { name: 'app', value: 'shop' },
    { name: 'colour', value: 'red' },
  ];
  const wanting = await listen({ tags: [shop, red] });
  const other = await listen({ tags: [{ name: 'app', value: 'blog' }] });
  const { queueId } = await queueMail(given.query);
  expect(await types(wanting)).toEqual([]);
  await given.query('update message set tags = $1', [JSON.stringify([{ name: 'x', value: 'y' }, red])]);
  await settle('sent', { reply: '250 ok' });
  expect((await told(wanting)).map(({ data }) => [data.queue_id, data.status])).toEqual([[queueId, 'sent']]);
  expect(await types(other)).toEqual([]);
});

test('without an endpoint that listens no row is written', async () => {
  await listen({ state: 'disabled', cause: 'by-hand' });
  await listen({ state: 'disabled', cause: 'gone' });
  await queueMail(given.query);
  await settle('sent', { reply: '250 ok' });
  expect(await told()).toEqual([]);
});

test('an endpoint that was switched off because it failed still collects', async () => {
  await listen({ state: 'disabled', cause: 'failing' });
  await queueMail(given.query);
  expect(await types()).toEqual(['email.queued']);
});

test('a claim that comes back untried is no event', async () => {
  await listen();
  await queueMail(given.query);
  await claim();
  await given.query(`update recipient set lease_until = now() - interval '1 hour'`);
  await reapLeases(relay, { leaseMs: 0, resendMs: 1, policy: 'hold' });
  expect((await given.query('select status from recipient')).rows).toEqual([{ status: 'queued' }]);
  expect(await types()).toEqual(['email.queued']);
});

test('a report after the 250 says so', async () => {
  await listen();
  await queueMail(given.query);
  await settle('sent', { reply: '250 ok' });
  await given.query(`update recipient set status = 'bounced', reason = 'recipient-unknown'`);
  expect((await told()).at(-1)).toMatchObject({
    type: 'email.bounced',
    data: { status: 'bounced', cause: 'recipient-unknown', after_sent: true },
  });
});

test('mail that never reached the relay has an event for each address', async () => {
  await listen();
  const recipients = ['ann@example.org', 'ben@example.org'].map((address) => ({
    kind: 'to' as const,
    address,
  }));
  const draft = { kind: 'single' as const, recipients, subject: 'Hello', text: 'Hello.' };
  const from = { address: 'hello@example.com' };
  const held = await api.transaction((tx) => insertEmail(tx, draft as never));
  const waiting = await api.transaction((tx) =>
    insertEmail(tx, { ...draft, from, dueAt: new Date(Date.now() + 3_600_000) } as never),
  );
  await cancelEmail(api, waiting.id, 'test');
  const events = await told();
  expect(events.map(({ type, data }) => [type, data.email_id, data.recipient, data.cause])).toEqual([
    ['email.held', held.id, 'ann@example.org', 'not-configured'],
    ['email.held', held.id, 'ben@example.org', 'not-configured'],
    ['email.cancelled', waiting.id, 'ann@example.org', 'on-request'],
    ['email.cancelled', waiting.id, 'ben@example.org', 'on-request'],
  ]);
});

test('a lane that stops and opens is told, without members of a mail', async () => {
  await listen({ tags: [{ name: 'app', value: 'shop' }] });
  await given.query(`insert into lane (key, name) values ('k', 'smtp.example.com')`);
  await given.query(`insert into cause values ('auth-failed', 'The password is wrong', '', '')`);
  await relay.query(`update lane set state = 'stopped', cause = 'auth-failed', next_probe_at = now()`);
  await relay.query(`update lane set state = 'open', cause = null, next_probe_at = null`);
  expect((await told()).map(({ type, data }) => [type, data])).toEqual([
    [
      'lane.stopped',
      { lane: 'smtp.example.com', state: 'stopped', cause: 'auth-failed', title: 'The password is wrong' },
    ],
    ['lane.open', { lane: 'smtp.example.com', state: 'open', cause: null, title: null }],
  ]);
});

test('what is rolled back, or dies before its commit, leaves neither change nor event', async () => {
  await listen();
  await queueMail(given.query);
  const statement = `update recipient set status = 'held', reason = 'on-request', next_attempt_at = null`;
  await expect(
    relay.transaction(async (tx) => {
      await tx.query(statement);
      throw new Error('changed my mind');
    }),
  ).rejects.toThrow('changed my mind');

  const victim = new Client({ connectionString: urlOfProcess(given.url, 'relay') });
  victim.on('error', () => {});
  await victim.connect();
  await victim.query('begin');
  await victim.query(statement);
  const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
  await given.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  await until(
    async () =>
      (await given.query('select from pg_stat_activity where pid = $1', [rows[0]?.pid])).rowCount === 0,
    { what: 'the session to end' },
  );
  expect((await given.query('select status from recipient')).rows).toEqual([{ status: 'queued' }]);
  expect(await types()).toEqual(['email.queued']);
});

test('the worker is woken for the first event, and not again while something is due', async () => {
  await listen();
  await using listening = await relay.connect();
  let heard = 0;
  await listening.listen('postern_webhooks', () => heard++);
  await queueMail(given.query);
  await until(() => heard === 1, { what: 'the first event to wake the worker' });
  await queueMail(given.query);
  await given.query(`update webhook_delivery set status = 'delivered', next_attempt_at = null`);
  await queueMail(given.query);
  await until(() => heard > 1, { what: 'the third event to wake the worker' });
  expect(heard).toBe(2);
});
