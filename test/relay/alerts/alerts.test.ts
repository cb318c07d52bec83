// The webhook gets what deploy/README.md promises, in spite of a receiver that is away, and the snippet printed there
// tells it from a forgery.
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { openLog } from '../../../deploy/log.ts';
import { openMetrics } from '../../../deploy/metrics.ts';
import { type Alert, openAlerts } from '../../../relay/alerts/alerts.ts';
import type { WebhookWaits } from '../../../relay/alerts/webhook-queue.ts';
import { until } from '../../kit/until.ts';

type IsFromPostern = (headers: IncomingHttpHeaders, body: Buffer, secret: string, now?: number) => boolean;

/** The snippet as a reader would paste it. */
function documented(): IsFromPostern {
  const page = readFileSync(new URL('../../../deploy/README.md', import.meta.url), 'utf8');
  const [, named = '', code = ''] =
    /```js\nimport \{ ([\w, ]+) \} from 'node:crypto';\s+export (function isFromPostern[\s\S]*?)```/.exec(
      page,
    ) ?? [];
  const { createHmac, timingSafeEqual } = crypto;
  return new Function(...named.split(', '), `return ${code}`)(createHmac, timingSafeEqual) as IsFromPostern;
}

const log = openLog('relay', 'silent');
const relayPassword = 'a relay password';
const secret = `whsec_${crypto.randomBytes(32).toString('base64')}`;
const wrongPassword: Alert = {
  kind: 'lane-stopped',
  lane: 'SMTP',
  cause: 'auth-bad-credentials',
  stage: 'auth',
  detail: '535 5.7.8 No',
};
const waits: WebhookWaits = {
  answerMs: 2_000,
  firstRetryMs: 20,
  longestRetryMs: 40,
  giveUpMs: 60_000,
  stopMs: 500,
};

type Taken = { headers: IncomingHttpHeaders; body: Buffer };

/** A receiver that answers with `status()`, and remembers all it was sent. */
async function startReceiver(status: () => number = () => 204) {
  const taken: Taken[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    taken.push({ headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(status(), { location: 'http://127.0.0.1:9/elsewhere' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    taken,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('an alert says what to do here, and both of its signatures can be checked', async () => {
  const isFromPostern = documented();
  await using receiver = await startReceiver();
  const metrics = openMetrics('relay', log);
  await using alerts = openAlerts({
    log,
    url: receiver.url,
    secret,
    relayPassword,
    metrics,
    place: (lane) => ({ host: `${lane}.example`.toLowerCase(), platform: 'coolify' }),
    waits,
  });
  alerts.raise(wrongPassword);
  const { headers, body } = await until(() => receiver.taken[0], { what: 'the alert' });
  expect(JSON.parse(body.toString())).toEqual({
    ...wrongPassword,
    title: 'User name or password is wrong',
    fix: expect.stringMatching(/^Set SMTP_USER .* Coolify: open the resource/),
    at: expect.stringMatching(/Z$/),
  });
  expect(isFromPostern(headers, body, secret)).toBe(true);
  expect(isFromPostern(headers, body, `whsec_${crypto.randomBytes(32).toString('base64')}`)).toBe(false);
  expect(isFromPostern({ ...headers, 'webhook-id': 'alert_1' }, body, secret)).toBe(false);
  expect(isFromPostern(headers, Buffer.concat([body, Buffer.from(' ')]), secret)).toBe(false);
  expect(isFromPostern(headers, body, secret, Date.now() / 1000 + 310)).toBe(false);
  expect(isFromPostern({}, body, secret)).toBe(false);

  // The header of 0.1, for one release more.
  const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(`${headers['x-postern-signature']}`) ?? [];
  const old = crypto.createHmac('sha256', relayPassword).update(`${seconds}.`).update(body).digest('hex');
  expect(hex).toBe(old);
  expect(await metrics.text()).toMatch(
    /postern_delivery_alerts_total\{kind="lane-stopped",cause="auth-bad-credentials".*\} 1/,
  );
});

test('without a secret of its own an alert has the old signature only', async () => {
  await using receiver = await startReceiver();
  await using alerts = openAlerts({ log, url: receiver.url, relayPassword, waits });
  alerts.raise(wrongPassword);
  const { headers } = await until(() => receiver.taken[0], { what: 'the alert' });
  expect(headers['webhook-signature']).toBeUndefined();
  expect(headers['x-postern-signature']).toBeDefined();
});

test('a receiver that is away gets every alert later, in order, each under one id; redirects are not followed', async () => {
  const answers = [500, 302, 503];
  await using receiver = await startReceiver(() => answers.shift() ?? 200);
  await using alerts = openAlerts({ log, url: receiver.url, secret, relayPassword, waits });
  alerts.raise(wrongPassword);
  alerts.raise({ ...wrongPassword, kind: 'lane-open' });
  await until(() => receiver.taken.length === 5, { what: 'four attempts and the second alert' });
  const kinds = receiver.taken.map(({ body }) => JSON.parse(body.toString()).kind);
  expect(kinds).toEqual([...Array(4).fill('lane-stopped'), 'lane-open']);
  const ids = receiver.taken.map(({ headers }) => headers['webhook-id']);
  expect(new Set(ids.slice(0, 4)).size).toBe(1);
  expect(ids[4]).not.toBe(ids[0]);
});

test('what is not taken in time is given up and counted', async () => {
  await using receiver = await startReceiver(() => 500);
  const metrics = openMetrics('relay', log);
  const lost = async () => Number(/postern_alerts_lost_total\{.*\} (\d+)/.exec(await metrics.text())?.[1]);
  const alerts = openAlerts({
    log,
    url: receiver.url,
    relayPassword,
    metrics,
    waits: { ...waits, giveUpMs: 200 },
  });
  expect(await lost()).toBe(0);
  alerts.raise(wrongPassword);
  await until(async () => (await lost()) === 1, { what: 'the alert to be given up' });
  await alerts[Symbol.asyncDispose]();
  expect(await lost()).toBe(1);
});

test('what waits is bounded, and what a relay that stops cannot deliver is counted', async () => {
  await using receiver = await startReceiver(() => 500);
  const metrics = openMetrics('relay', log);
  const lost = async () => Number(/postern_alerts_lost_total\{.*\} (\d+)/.exec(await metrics.text())?.[1]);
  const alerts = openAlerts({ log, url: receiver.url, relayPassword, metrics, waits });
  for (let each = 0; each < 150; each++) alerts.raise(wrongPassword);
  expect(await lost()).toBe(50);
  await alerts[Symbol.asyncDispose]();
  expect(await lost()).toBe(150);
});

test('a relay that stops tries what still waits once more', async () => {
  let status = 500;
  await using receiver = await startReceiver(() => status);
  const alerts = openAlerts({
    log,
    url: receiver.url,
    relayPassword,
    waits: { ...waits, firstRetryMs: 60_000, longestRetryMs: 60_000, stopMs: 20_000 },
  });
  alerts.raise(wrongPassword);
  await until(() => receiver.taken.length === 1, { what: 'the first attempt' });
  status = 200;
  await alerts[Symbol.asyncDispose]();
  expect(receiver.taken).toHaveLength(2);
});
