import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import { gate, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import {
  countByStatus,
  environmentFor,
  eventsOf,
  openWayOut,
  queueMail,
  queueMails,
  settled,
} from './way-out.ts';

for (const mode of ['implicit', 'starttls'] as const) {
  test(`a queued mail is sent over ${mode} TLS with AUTH, and the provider's reply is kept`, async () => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    await using _ = await openWayOut(database.url, environmentFor(provider, {}, mode));

    const { queueId, messageId } = await queueMail(database.query);
    const recipient = await settled(database.query, queueId);

    const [copy] = provider.copiesOf(messageId);
    expect(recipient).toMatchObject({
      status: 'sent',
      attempts: 1,
      replyCode: 250,
      enhancedCode: '2.0.0',
      providerQueueId: copy?.queueId,
    });
    expect(provider.authAttempts).toMatchObject([{ accepted: true, tls: true, user: 'mailer@example.com' }]);
    const events = await eventsOf(database.query, queueId);
    expect(events.map(({ type }) => type)).toEqual(['attempt', 'sent']);
    expect(events[0]?.detail).toMatchObject({
      lane: 'SMTP',
      stage: 'accepted',
      code: 250,
      timings: { mail: expect.any(Number), data: expect.any(Number), dot: expect.any(Number) },
    });
  });
}

test('many mails go over few reused connections, each exactly once', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const mails = await queueMails(
    database.query,
    Array.from({ length: 250 }, () => ({})),
  );
  await using _ = await openWayOut(database.url, environmentFor(provider));

  await until(async () => (await countByStatus(database.query)).sent === 250, { what: 'all to be sent' });
  for (const { messageId } of mails) expect(provider.copiesOf(messageId)).toHaveLength(1);
  expect(provider.peakConnections).toBeLessThanOrEqual(5);
  expect(provider.connections.length).toBeLessThan(12);
});

test('an attempt on a mail that somebody settled meanwhile stands in the timeline all the same', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const held = gate();
  provider.on('dot', held.reaction, { times: 1 });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query);
  await held.reached;
  await database.query(
    `update recipient set status = 'bounced', reason = 'test', finished_at = now(), claim_token = null,
       claimed_by = null, lease_until = null`,
  );
  held.open();
  const [event] = await until(async () => {
    const events = await eventsOf(database.query, queueId);
    return events.length > 0 && events;
  });
  expect(event).toMatchObject({ type: 'attempt', detail: { stage: 'accepted', code: 250 } });
  expect((await eventsOf(database.query, queueId)).map(({ type }) => type)).not.toContain('sent');
});

test('a mail that is sent leaves no row in the timeline, which reads as two', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query);
  await settled(database.query, queueId, ['sent']);
  const { rowCount } = await database.query('select from event where queue_id = $1', [queueId]);
  expect(rowCount).toBe(0);
  expect((await eventsOf(database.query, queueId)).map(({ type }) => type)).toEqual(['attempt', 'sent']);
});
