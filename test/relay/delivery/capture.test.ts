// DELIVERY_MODE may have become stricter since a mail was accepted: what may not leave any more stays here.
import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import { startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, eventsOf, openWayOut, queueMail, recipientsOf, settled } from './way-out.ts';

test('of a mail that was accepted before, only recipients on the list of today get it', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const to = ['eve@example.net', 'ann@example.org', 'bob@example.net'];
  const { queueId, messageId } = await queueMail(database.query, { to });
  const other = await queueMail(database.query, { to: ['eve@example.net'] });
  await using _ = await openWayOut(
    database.url,
    environmentFor(provider, { DELIVERY_MODE: 'allowlist', DELIVERY_ALLOWLIST: '*@example.org' }),
  );
  await settled(database.query, other.queueId, ['captured']);
  await settled(database.query, queueId, ['captured']);
  const recipients = await until(async () => {
    const found = await recipientsOf(database.query, queueId);
    return found[1]?.status === 'sent' && found;
  });
  expect(recipients.map(({ status }) => status)).toEqual(['captured', 'sent', 'captured']);
  expect(provider.copiesOf(messageId).map(({ envelope }) => envelope.recipients)).toEqual([
    ['ann@example.org'],
  ]);
  expect(provider.messages).toHaveLength(1);
  // Not by way of a lease that ran out.
  expect((await eventsOf(database.query, queueId)).map(({ type }) => type)).not.toContain('requeued');
  expect((await eventsOf(database.query, other.queueId)).map(({ type }) => type)).toEqual(['captured']);
});

test('in capture mode the provider is not even called, and mail of before waits', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const { queueId } = await queueMail(database.query);
  {
    await using wayOut = await openWayOut(
      database.url,
      environmentFor(provider, { DELIVERY_MODE: 'capture' }),
    );
    wayOut.delivery.wake();
    expect(wayOut.delivery.report().lanes).toEqual([]);
  }
  expect(provider.connections).toEqual([]);
  expect(await recipientsOf(database.query, queueId)).toMatchObject([{ status: 'queued', attempts: 0 }]);
});
