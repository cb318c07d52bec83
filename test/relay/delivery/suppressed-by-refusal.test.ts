// What a provider refuses at RCPT puts the address onto the suppression list, in the commit that stores the refusal.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { type Provider, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, openWayOut, queueMail, recipientsOf, settled } from './way-out.ts';

let resources: AsyncDisposableStack;
let db: TestDatabase;
let provider: Provider;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  db = resources.use(await freshDatabase());
  provider = resources.use(await startProvider());
});
afterEach(() => resources.disposeAsync());

/** Refuses each of these at RCPT for as long as the test runs. */
function refusing(replies: Readonly<Record<string, string>>) {
  provider.on('rcpt', ({ recipient = '' }) => replies[recipient]);
}

/** Sends a mail and answers what became of each address. */
async function send(...to: string[]): Promise<string[]> {
  const { queueId } = await queueMail(db.query, { to });
  return until(
    async () => {
      const statuses = (await recipientsOf(db.query, queueId)).map(({ status }) => status);
      return statuses.every((status) => ['sent', 'bounced', 'suppressed'].includes(status)) && statuses;
    },
    { what: 'all recipients to end' },
  );
}

const listed = async () => {
  const { rows } = await db.query<{ address: string }>('select address from suppression order by address');
  return rows.map(({ address }) => address);
};

test('no such mailbox: once, and the next mail goes to the others only', async () => {
  refusing({
    'Ann@example.org': '550 5.1.1 User unknown',
    'ben@example.org': '552 5.2.2 The mailbox is full',
    'cleo@example.org': '550 5.7.1 Refused by policy of the recipient',
    'dan@example.org': '550 5.2.1 This mailbox is disabled',
  });
  await db.query(`insert into webhook (id, url) values (gen_random_uuid(), 'https://x.example')`);
  resources.use(await openWayOut(db.url, environmentFor(provider)));
  const all = [
    'Ann@example.org',
    'ben@example.org',
    'cleo@example.org',
    'dan@example.org',
    'eve@example.org',
  ];
  expect(await send(...all)).toEqual(['bounced', 'bounced', 'bounced', 'bounced', 'sent']);
  const { rows } = await db.query(
    'select address, reason, cause, source, source_queue_id is not null as of_mail, reply from suppression',
  );
  expect(rows).toEqual([
    {
      ...{
        address: 'Ann@example.org',
        reason: 'bounce',
        cause: 'user-unknown',
        source: 'reply',
        of_mail: true,
      },
      reply: expect.stringContaining('5.1.1 User unknown'),
    },
  ]);
  const { rows: told } = await db.query<{ data: Record<string, unknown> }>(
    `select data from webhook_delivery where type = 'suppression.added'`,
  );
  const { rows: bounces } = await db.query(
    `select distinct data ->> 'stage' as stage from webhook_delivery where type = 'email.bounced'`,
  );
  expect(bounces).toEqual([{ stage: 'rcpt' }]);
  expect(told).toMatchObject([
    { data: { address: 'Ann@example.org', reason: 'bounce', cause: 'user-unknown' } },
  ]);

  expect(await send('ann@EXAMPLE.org', 'eve@example.org')).toEqual(['suppressed', 'sent']);
  expect(provider.commands().filter((line) => /^RCPT TO:<ann@/i.test(line))).toHaveLength(1);

  // A day later the mailbox is still disabled, and the full one is still full.
  await db.query(
    `update recipient set finished_at = finished_at - interval '25 hours' where status = 'bounced'`,
  );
  await send(...all.slice(1));
  expect(await listed()).toEqual(['Ann@example.org', 'dan@example.org']);
});

test('a refusal after the data, and one for now, say nothing about the address', async () => {
  provider.on('dot', () => '550 5.1.1 User unknown');
  refusing({ 'ben@example.org': '450 4.1.1 User unknown in our copy of the list' });
  resources.use(await openWayOut(db.url, environmentFor(provider)));
  expect(await send('ann@example.org')).toEqual(['bounced']);
  const { queueId } = await queueMail(db.query, { to: ['ben@example.org'] });
  await settled(db.query, queueId, ['deferred']);
  expect(await listed()).toEqual([]);
});
