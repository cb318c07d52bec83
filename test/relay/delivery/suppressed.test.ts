// Addresses that are not written to: looked up at the claim, whichever way the mail came.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { addSuppression, removeSuppression } from '../../../relay/client/suppression/suppression.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../kit/database.ts';
import { type Provider, startProvider } from '../../kit/provider.ts';
import { startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import {
  environmentFor,
  eventsOf,
  openWayOut,
  queueMail,
  queueMails,
  recipientsOf,
  settled,
} from './way-out.ts';

let resources: AsyncDisposableStack;
let db: TestDatabase;
let api: Database;
let provider: Provider;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  db = resources.use(await freshDatabase());
  api = resources.use(openDatabase({ url: urlOfProcess(db.url, 'api'), applicationName: 'test', max: 2 }));
  provider = resources.use(await startProvider());
});
afterEach(() => resources.disposeAsync());

const start = async () => resources.use(await openWayOut(db.url, environmentFor(provider)));
const suppress = (address: string, more = {}) =>
  api.transaction((tx) => addSuppression(tx, { address, reason: 'manual', ...more }));
const final = ['sent', 'suppressed', 'bounced'];

test('a suppressed recipient ends, and the others of the mail are served', async () => {
  await suppress('ben@example.org');
  const { queueId } = await queueMail(db.query, {
    to: ['ann@example.org', 'Ben@Example.ORG', 'cleo@example.org'],
  });
  await start();
  await settled(db.query, queueId, final);
  const statuses = async () => (await recipientsOf(db.query, queueId)).map(({ status }) => status);
  await expect.poll(statuses, { timeout: 20_000 }).toEqual(['sent', 'suppressed', 'sent']);
  const [, ben] = await recipientsOf(db.query, queueId);
  expect(ben).toMatchObject({ reason: 'address-suppressed', attempts: 0, reply: null });
  expect(await eventsOf(db.query, queueId)).toContainEqual(
    expect.objectContaining({
      ...{ type: 'suppressed', recipient: 'Ben@Example.ORG' },
      detail: expect.objectContaining({ cause: 'address-suppressed' }),
    }),
  );
  const { rows } = await db.query('select finished_at is not null as over from recipient where ordinal = 1');
  expect(rows).toEqual([{ over: true }]);
});

test.each([
  ['bücher@bücher.example', 'bücher@xn--bcher-kva.example'],
  ['bücher@xn--bcher-kva.example', 'bücher@bücher.example'],
  ['ANN+news@example.org', 'ann+news@EXAMPLE.org'],
])('%s on the list is found as %s', async (listed, asked) => {
  await suppress(listed);
  const { rows } = await db.query<{ reason: string | null }>('select suppression_of($1) as reason', [asked]);
  expect(rows).toEqual([{ reason: 'manual' }]);
});

test.each(['ann@example.org', 'ann+x@example.org', 'a.nn+news@example.org', 'ann+news@sub.example.org'])(
  'ann+news@example.org on the list is not %s',
  async (asked) => {
    await suppress('ann+news@example.org');
    const { rows } = await db.query<{ reason: string | null }>('select suppression_of($1) as reason', [
      asked,
    ]);
    expect(rows).toEqual([{ reason: null }]);
  },
);

test('an entry that is over, or was removed, stops nothing', async () => {
  await suppress('ann@example.org');
  await db.query(`update suppression set expires_at = now() - interval '1 second'`);
  await suppress('ben@example.org');
  await api.transaction((tx) => removeSuppression(tx, 'BEN@example.org'));
  await suppress('cleo@example.org');
  const { queueId } = await queueMail(db.query, { to: ['ann@example.org', 'ben@example.org'] });
  await start();
  await settled(db.query, queueId, final);
  expect((await recipientsOf(db.query, queueId)).map(({ status }) => status)).toEqual(['sent', 'sent']);
});

test('mail of the API shows it, and endpoints hear of it', async () => {
  await db.query(`insert into webhook (id, url) values (gen_random_uuid(), 'https://x.example')`);
  const { suppression, isNew } = await suppress('ann@example.org', { note: 'asked' });
  expect([isNew, suppression.address]).toEqual([true, 'ann@example.org']);
  const { queueId } = await queueMail(db.query);
  await start();
  await settled(db.query, queueId, final);
  await api.transaction((tx) => removeSuppression(tx, 'ann@example.org'));
  const { rows } = await db.query<{ type: string; data: Record<string, unknown> }>(
    // Not of the notice to the submitter.
    `select type, data from webhook_delivery
     where 'ann@example.org' in (data ->> 'recipient', data ->> 'address') order by at, id`,
  );
  expect(rows.map(({ type }) => type)).toEqual([
    ...['suppression.added', 'email.queued', 'email.suppressed', 'suppression.removed'],
  ]);
  expect(rows[0]?.data).toEqual({
    ...{ address: 'ann@example.org', stream: null, reason: 'manual', cause: null, title: null },
    source_email_id: null,
  });
});

test('an entry for a stream stops mail of that stream only, and none that ignores the list', async () => {
  await suppress('ann@example.org', { stream: 'news' });
  const mails = await queueMails(db.query, [{}, {}, {}, {}]);
  const [news = '', password = '', other = '', all = ''] = mails.map(({ queueId }) => queueId);
  await db.query(`update message set stream = 'news' where queue_id = $1`, [news]);
  await db.query(`update message set stream = 'passwords' where queue_id = $1`, [password]);
  await db.query(`update message set stream = 'news', ignore_suppression = true where queue_id = $1`, [all]);
  await start();
  for (const [queueId, status] of [
    [news, 'suppressed'],
    [password, 'sent'],
    [other, 'sent'],
    [all, 'sent'],
  ] as const) {
    await settled(db.query, queueId, final);
    expect((await recipientsOf(db.query, queueId))[0]).toMatchObject({ status });
  }
});

test('mail that goes past the queue obeys, and leaves once the address is off the list', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  const send = async (more = {}) => {
    const { body } = await stack.api.post('/api/v1/emails', {
      ...{ to: ['ann@example.org'], subject: 'Hello', text: 'Hello.' },
      ...more,
    });
    return until(
      async () => {
        const { status } = (await stack.api.get(`/api/v1/emails/${body.id}`)).body;
        return final.includes(status) && status;
      },
      { what: 'the mail to end', timeoutMs: 30_000 },
    );
  };
  expect(await send()).toBe('sent');
  await stack.api.post('/api/v1/suppressions', { address: 'Ann@example.org' });
  expect(await send()).toBe('suppressed');
  expect(stack.provider.messages).toHaveLength(1);
  // An administrator may write all the same, and the timeline shows who said so.
  expect(await send({ ignore_suppression: true })).toBe('sent');
  const { id } = (await stack.api.get('/api/v1/emails?limit=1')).body.data[0];
  expect((await stack.api.get(`/api/v1/emails/${id}/events`)).body).toMatchObject({
    data: expect.arrayContaining([
      expect.objectContaining({ detail: expect.objectContaining({ ignoreSuppression: true }) }),
    ]),
  });
  await stack.database.query(`update suppression set stream = 'news'`);
  expect(await send({ stream: 'passwords' })).toBe('sent');
  expect(await send()).toBe('sent');
  expect(await send({ stream: 'news' })).toBe('suppressed');
  await stack.database.query('delete from suppression');
  expect(await send({ stream: 'news' })).toBe('sent');
});
