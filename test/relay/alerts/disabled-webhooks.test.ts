// An endpoint that is disabled because of its answers is told of once, by the relay that hears of it, in the doctor and in
// the dashboard.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import type { Alert } from '../../../relay/alerts/alerts.ts';
import { tellOfDisabledWebhooks } from '../../../relay/alerts/disabled-webhooks.ts';
import { claimDeliveries, settleFailed } from '../../../relay/client/webhook/outgoing.ts';
import { updateWebhook } from '../../../relay/client/webhook/webhook.ts';
import { lookAtWebhooks } from '../../../relay/doctor/processes.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../kit/database.ts';
import { until } from '../../kit/until.ts';

const log = openLog('relay', 'silent');
let resources: AsyncDisposableStack;
let db: TestDatabase;
let relay: Database;
let worker: Database;
let api: Database;
beforeAll(async () => {
  resources = new AsyncDisposableStack();
  db = resources.use(await freshDatabase());
  const as = (process: 'api' | 'relay' | 'worker') =>
    resources.use(openDatabase({ url: urlOfProcess(db.url, process), applicationName: 'test', max: 4 }));
  [relay, worker, api] = [as('relay'), as('worker'), as('api')];
});
afterAll(() => resources.disposeAsync());

async function insert(
  description: string,
  more: { cause?: string; failingFor?: string } = {},
): Promise<string> {
  const id = randomUUID();
  await db.query(
    `insert into webhook (id, url, description, state, disabled_cause, failing_since)
     values ($1, 'https://shop.example.com/secret-path', $2, $3, $4, now() - $5::interval)`,
    [id, description, more.cause ? 'disabled' : 'enabled', more.cause ?? null, more.failingFor ?? null],
  );
  return id;
}

/** Two relays look at the same moment. */
async function alerts(): Promise<Alert[]> {
  const heard: Alert[] = [];
  const tell = () =>
    tellOfDisabledWebhooks({ database: relay, log, lane: 'SMTP', alert: (one) => heard.push(one) });
  await Promise.all([tell(), tell()]);
  return heard;
}

test('each is told of once; one that a person switched off, or that works, is not', async () => {
  const gone = await insert('gone', { cause: 'gone' });
  const failing = await insert('the shop', { cause: 'failing', failingFor: '3 days' });
  await insert('by hand', { cause: 'by-hand' });
  await insert('fine');
  const slow = await insert('slow', { failingFor: '11 minutes' });
  await insert('restarting', { failingFor: '9 minutes' });

  const first = await alerts();
  expect(first.map(({ kind, cause, detail }) => [kind, cause, detail]).sort()).toEqual(
    [
      ['webhook-disabled', 'webhook-gone', gone],
      ['webhook-disabled', 'webhook-failing', failing],
    ].sort(),
  );
  expect(first.find(({ detail }) => detail === failing)?.words?.title).toMatch(
    /^The webhook \S+ \(the shop\) is disabled: no attempt has succeeded since \d{4}-/,
  );
  expect(await alerts()).toEqual([]);

  // The doctor names what is so now, each time.
  const notes = await lookAtWebhooks(relay);
  const named = [gone, failing, slow].map((id) => notes.filter((note) => note.includes(id)).length);
  expect([notes.length, named]).toEqual([3, [1, 1, 1]]);
  expect(notes.join()).not.toContain('secret-path');

  // Enabled, and disabled anew: that is news.
  await api.transaction((tx) => updateWebhook(tx, gone, { enabled: true }));
  expect(await alerts()).toEqual([]);
  await db.query(`update webhook set state = 'disabled', disabled_cause = 'gone' where id = $1`, [gone]);
  expect((await alerts()).map(({ detail }) => detail)).toEqual([gone]);
});

test('the worker that disables one rings for the relay', async () => {
  const id = await insert('answers 410');
  await db.query('insert into webhook_secret (webhook_id, secret) values ($1, $2)', [id, Buffer.alloc(32)]);
  await db.query(
    `insert into webhook_delivery (id, webhook_id, type, data)
     select new_webhook_event_id(), $1, 'email.sent', '{}' from generate_series(1, 2)`,
    [id],
  );
  let rings = 0;
  await using connection = await relay.connect();
  await connection.listen('postern_relay', () => rings++);
  const [first, second] = await claimDeliveries(worker, id, 2);
  const answered = { answerStatus: 500, answer: '', error: 'x', durationMs: 1 };
  const failure = { nextInSeconds: 5, pauseSeconds: null, isGone: false };
  if (!first || !second) throw new Error('nothing was claimed');
  expect(await settleFailed(worker, first, answered, failure)).toBeUndefined();
  expect(await settleFailed(worker, second, answered, { ...failure, isGone: true })).toBe('gone');
  await until(() => rings > 0, { what: 'the relay to be rung for' });
  expect(rings).toBe(1);
  expect((await alerts()).map(({ detail }) => detail)).toEqual([id]);
});
