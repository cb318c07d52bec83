// Events on their way to endpoints: real sockets, a real database, and the libraries that receivers use.
import { randomBytes, randomUUID } from 'node:crypto';
import { Resend } from 'resend';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { openAddressPolicy } from '../../../deploy/public-address.ts';
import { startWebhooks, type Webhooks } from '../../../worker/webhooks/webhooks.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../kit/database.ts';
import { until } from '../../kit/until.ts';
import { queueMail, queueMails } from '../../relay/delivery/way-out.ts';
import { type Heard, startReceiver } from './receiver.ts';

const log = openLog('worker', (process.env.TEST_LOG ?? 'silent') as 'silent');

let db: TestDatabase;
let database: Database;
let resources: AsyncDisposableStack;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  db = resources.use(await freshDatabase());
  database = resources.use(
    openDatabase({ url: urlOfProcess(db.url, 'worker'), applicationName: 'test', max: 10 }),
  );
});
afterEach(() => resources.disposeAsync());

const receiver = async (host?: string) => resources.use(await startReceiver(host));

function start({ permitted = ['127.0.0.1'], scheduleMs = [50, 50, 50] } = {}): Webhooks {
  return resources.use(
    startWebhooks({
      database,
      log,
      policy: openAddressPolicy(permitted),
      scheduleMs,
      userAgent: 'Postern/test',
    }),
  );
}

async function listen(url: string, secret = randomBytes(32)): Promise<{ id: string; secret: Buffer }> {
  const id = randomUUID();
  await db.query('insert into webhook (id, url) values ($1, $2)', [id, url]);
  await db.query('insert into webhook_secret (webhook_id, secret) values ($1, $2)', [id, secret]);
  return { id, secret };
}

type Row = {
  status: string;
  attempts: number;
  answer_status: number | null;
  answer: string | null;
  error: string | null;
  waits: number | null;
};
const rowsOf = async (webhookId: string) =>
  (
    await db.query<Row>(
      `select status, attempts, answer_status, answer, error,
         extract(epoch from next_attempt_at - now())::float8 as waits
       from webhook_delivery where webhook_id = $1 order by id`,
      [webhookId],
    )
  ).rows;

const written = (secret: Buffer) => `whsec_${secret.toString('base64')}`;

/** Each throws when the signature is not valid. */
const verifiers: Record<string, (secret: string, heard: Heard) => unknown> = {
  standardwebhooks: (secret, { body, headers }) => new StandardWebhook(secret).verify(body, headers),
  svix: (secret, { body, headers }) =>
    new SvixWebhook(secret).verify(body, {
      'svix-id': headers['svix-id'] ?? '',
      'svix-timestamp': headers['svix-timestamp'] ?? '',
      'svix-signature': headers['svix-signature'] ?? '',
    }),
  resend: (secret, { body, headers }) =>
    new Resend('re_example').webhooks.verify({
      payload: body,
      headers: {
        id: headers['svix-id'] ?? '',
        timestamp: headers['svix-timestamp'] ?? '',
        signature: headers['svix-signature'] ?? '',
      },
      webhookSecret: secret,
    }),
};

test('an event arrives within moments of its commit, whole', async () => {
  const shop = await receiver();
  const { id } = await listen(shop.url);
  start();
  const { queueId } = await queueMail(db.query);
  await until(() => shop.heard.length === 1, { what: 'the event to arrive' });
  const [{ event, headers } = {} as Heard] = shop.heard;
  expect(event).toMatchObject({
    type: 'email.queued',
    data: { queue_id: queueId, recipient: 'ann@example.org' },
  });
  expect(new Date(event.timestamp).toISOString()).toBe(event.timestamp);
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'Postern/test' });
  expect(headers['svix-id']).toBe(headers['webhook-id']);
  await until(async () => (await rowsOf(id))[0]?.status === 'delivered', { what: 'it to be settled' });
  expect(await rowsOf(id)).toEqual([
    expect.objectContaining({ attempts: 1, answer_status: 204, answer: '', error: null, waits: null }),
  ]);
});

test.each(Object.entries(verifiers))('%s verifies it, and refuses what is forged', async (_, verify) => {
  const shop = await receiver();
  const { secret } = await listen(shop.url);
  start();
  await queueMail(db.query, { to: ['zoë@example.org'] });
  await until(() => shop.heard.length === 1, { what: 'the event to arrive' });
  const heard = shop.heard[0] as Heard;
  verify(written(secret), heard);
  expect(() => verify(written(randomBytes(32)), heard)).toThrow();
  expect(() =>
    verify(written(secret), { ...heard, body: heard.body.replace('ann', 'bob').replace('zo', 'zu') }),
  ).toThrow();
  const old = String(Number(heard.headers['webhook-timestamp']) - 600);
  const headers = { ...heard.headers, 'webhook-timestamp': old, 'svix-timestamp': old };
  expect(() => verify(written(secret), { ...heard, headers })).toThrow();
});

test.each(Object.entries(verifiers))('after a rotation %s verifies with either secret', async (_, verify) => {
  const shop = await receiver();
  const { id, secret } = await listen(shop.url);
  const fresh = randomBytes(32);
  await db.query(`update webhook_secret set expires_at = now() + interval '1 day'`);
  await db.query('insert into webhook_secret values ($1, $2, now(), null)', [id, fresh]);
  const past = randomBytes(32);
  await db.query(
    `insert into webhook_secret values ($1, $2, now() - interval '2 days', now() - interval '1 day')`,
    [id, past],
  );
  start();
  await queueMail(db.query);
  await until(() => shop.heard.length === 1, { what: 'the event to arrive' });
  verify(written(secret), shop.heard[0] as Heard);
  verify(written(fresh), shop.heard[0] as Heard);
  expect(() => verify(written(past), shop.heard[0] as Heard)).toThrow();
});

test('what fails is tried again under the same id, and ends after the last wait', async () => {
  const shop = await receiver();
  shop.answer((response) => response.writeHead(500).end('x'.repeat(10_000)));
  const { id } = await listen(shop.url);
  start();
  await queueMail(db.query);
  await until(async () => (await rowsOf(id))[0]?.status === 'failed', { what: 'all attempts to be used' });
  expect(new Set(shop.heard.map((heard) => heard.id)).size).toBe(1);
  expect(new Set(shop.heard.map((heard) => heard.body)).size).toBe(1);
  expect(shop.heard).toHaveLength(4);
  const [row] = await rowsOf(id);
  expect(row).toMatchObject({ attempts: 4, answer_status: 500, error: 'It answered 500', waits: null });
  expect(row?.answer).toHaveLength(4_096);
});

test('a success forgets what failed before', async () => {
  const shop = await receiver();
  let failures = 2;
  shop.answer((response) => response.writeHead(failures-- > 0 ? 500 : 200).end('thanks\0'));
  const { id } = await listen(shop.url);
  start();
  await queueMail(db.query);
  await until(async () => (await rowsOf(id))[0]?.status === 'delivered', {
    what: 'the third attempt to succeed',
  });
  expect(await rowsOf(id)).toEqual([
    expect.objectContaining({ attempts: 3, answer_status: 200, answer: 'thanks\uFFFD', error: null }),
  ]);
  const { rows } = await db.query('select failures, failing_since, state from webhook');
  expect(rows).toEqual([{ failures: 0, failing_since: null, state: 'enabled' }]);
});

test('an endpoint that hangs keeps no other waiting, and has 8 requests at most', async () => {
  const hanging = await receiver();
  hanging.answer(() => {});
  const shop = await receiver();
  await listen(hanging.url);
  await listen(shop.url);
  start();
  await queueMails(
    db.query,
    Array.from({ length: 30 }, () => ({})),
  );
  await until(() => shop.heard.length === 30, { what: 'the other endpoint to hear all' });
  await until(() => hanging.open === 8, { what: 'the hanging endpoint to have its 8 requests' });
  await queueMail(db.query);
  await until(() => shop.heard.length === 31, { what: 'the other endpoint to hear of the next' });
  expect([hanging.mostOpen, hanging.heard.length]).toEqual([8, 8]);
  expect(shop.mostOpen).toBeLessThanOrEqual(8);
});

test('one request that hangs leaves the other places of its endpoint free', async () => {
  const shop = await receiver();
  let first = true;
  shop.answer((response) => {
    if (!first) response.writeHead(200).end();
    first = false;
  });
  await listen(shop.url);
  start();
  await queueMail(db.query);
  await until(() => shop.heard.length === 1, { what: 'the one that hangs' });
  await queueMail(db.query);
  await until(() => shop.heard.length === 2, { what: 'the next event, while the first one hangs' });
  expect(shop.open).toBe(1);
});

test('410 disables the endpoint', async () => {
  const shop = await receiver();
  shop.answer((response) => response.writeHead(410).end());
  const { id } = await listen(shop.url);
  start();
  await queueMail(db.query);
  await until(
    async () => (await db.query(`select from webhook where disabled_cause = 'gone'`)).rowCount === 1,
    {
      what: 'the endpoint to be disabled',
    },
  );
  await queueMail(db.query);
  expect(await rowsOf(id)).toHaveLength(1);
});

test('after three days of failures the endpoint is disabled, and collects', async () => {
  const shop = await receiver();
  shop.answer((response) => response.writeHead(500).end());
  const { id } = await listen(shop.url);
  await db.query(`update webhook set failing_since = now() - interval '73 hours', failures = 3`);
  start();
  await queueMail(db.query);
  await until(
    async () => (await db.query(`select from webhook where disabled_cause = 'failing'`)).rowCount === 1,
    {
      what: 'the endpoint to be disabled',
    },
  );
  const heard = shop.heard.length;
  await queueMail(db.query);
  expect((await rowsOf(id)).map(({ status }) => status)).toEqual(['waiting', 'waiting']);
  expect(shop.heard).toHaveLength(heard);
});

test.each([429, 503])('%s with Retry-After makes the endpoint wait', async (status) => {
  const shop = await receiver();
  shop.answer((response) => response.writeHead(status, { 'retry-after': '120' }).end());
  const { id } = await listen(shop.url);
  start();
  await queueMail(db.query);
  await until(async () => (await rowsOf(id))[0]?.attempts === 1, { what: 'the first attempt' });
  expect((await rowsOf(id))[0]?.waits).toBeGreaterThan(100);
  const { rows } = await db.query<{ waits: number }>(
    'select extract(epoch from paused_until - now())::float8 as waits from webhook',
  );
  expect(rows[0]?.waits).toBeGreaterThan(100);
});

test('a redirect is not followed', async () => {
  const inside = await receiver();
  const shop = await receiver();
  shop.answer((response) => response.writeHead(302, { location: inside.url }).end());
  const { id } = await listen(shop.url);
  start({ scheduleMs: [] });
  await queueMail(db.query);
  await until(async () => (await rowsOf(id))[0]?.status === 'failed', { what: 'it to fail' });
  expect((await rowsOf(id))[0]?.error).toMatch('redirects are not followed');
  expect(inside.heard).toEqual([]);
});

test.each([
  ['an address', (url: string) => url],
  ['a name', (url: string) => url.replace('127.0.0.1', 'localhost')],
  ['a mapped address', (url: string) => url.replace('127.0.0.1', '[::ffff:127.0.0.1]')],
])('%s that leads inside is not dialled', async (_, spelled) => {
  const inside = await receiver();
  const { id } = await listen(spelled(inside.url));
  start({ permitted: ['10.0.0.0/8'], scheduleMs: [] });
  await queueMail(db.query);
  await until(async () => (await rowsOf(id))[0]?.status === 'failed', { what: 'it to fail' });
  expect((await rowsOf(id))[0]?.error).toMatch(/127\.0\.0\.1|7f00:1|::1/);
  expect(inside.heard).toEqual([]);
});

test('a name that leads to a permitted address is', async () => {
  const shop = await receiver();
  await listen(shop.url.replace('127.0.0.1', 'localhost'));
  start();
  await queueMail(db.query);
  await until(() => shop.heard.length === 1, { what: 'the event to arrive' });
});

test('http to a public address is refused before anything is sent', async () => {
  const { id } = await listen('http://192.88.100.1:9/hooks');
  start({ permitted: ['127.0.0.1'], scheduleMs: [] });
  await queueMail(db.query);
  await until(async () => (await rowsOf(id))[0]?.status === 'failed', { what: 'it to fail' });
  expect((await rowsOf(id))[0]?.error).toMatch('http:// is only for addresses');
});

test('two workers deliver each event once', async () => {
  const shop = await receiver();
  await listen(shop.url);
  start();
  start();
  await queueMails(
    db.query,
    Array.from({ length: 200 }, () => ({})),
  );
  await until(() => shop.heard.length >= 200, { what: 'all events' });
  expect(new Set(shop.heard.map(({ id }) => id)).size).toBe(200);
  expect(shop.heard).toHaveLength(200);
});

test('what a worker took with it when it died is delivered by another, under the same id', async () => {
  const shop = await receiver();
  await listen(shop.url);
  await queueMail(db.query);
  // As a worker that was killed leaves it: claimed, and its lease is over.
  await db.query(`update webhook_delivery set next_attempt_at = now() - interval '1 second'`);
  start();
  await until(() => shop.heard.length === 1, { what: 'the event to arrive' });
  const { rows } = await db.query<{ id: string }>('select id from webhook_delivery');
  expect(shop.heard[0]?.id).toBe(rows[0]?.id);
});

test('a deleted endpoint hears nothing more', async () => {
  const shop = await receiver();
  const { id } = await listen(shop.url);
  await queueMail(db.query);
  await db.query('update webhook set deleted_at = now() where id = $1', [id]);
  const other = await receiver();
  await listen(other.url);
  start();
  await queueMail(db.query);
  await until(() => other.heard.length === 1, { what: 'the other endpoint to hear' });
  expect(shop.heard).toEqual([]);
});
