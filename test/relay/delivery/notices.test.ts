import { simpleParser } from 'mailparser';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { retryEmail } from '../../../relay/client/outbox/retry.ts';
import { freshDatabase } from '../../kit/database.ts';
import { startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import {
  countByStatus,
  environmentFor,
  eventsOf,
  openWayOut,
  queueMail,
  recipientsOf,
  settled,
} from './way-out.ts';

const to = (address: string) => ({ when: ({ recipient }: { recipient?: string }) => recipient === address });

test('a submitter hears by mail which recipients failed, and what the provider said about each', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '550 5.1.1 <eve@example.org>: User unknown', to('eve@example.org'));
  provider.on('rcpt', '550-5.2.1 The mailbox is\r\n550 5.2.1 disabled', to('mallory@example.org'));
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId, messageId } = await queueMail(database.query, {
    to: ['ann@example.org', 'eve@example.org', 'mallory@example.org'],
  });
  await until(() => provider.messages.length === 2, { what: 'the notice to be sent' });
  const notice = provider.messages.find(({ envelope }) => envelope.sender === '');
  expect(notice?.envelope.recipients).toEqual(['mailer@example.com']);

  const raw = notice?.raw.toString() ?? '';
  expect(raw).toMatch(/^Content-Type: multipart\/report; report-type=delivery-status;/m);
  expect(raw).toMatch(/^Auto-Submitted: auto-replied$/m);
  const parsed = await simpleParser(notice?.raw ?? '');
  expect(parsed.text).toContain('<eve@example.org>: 550 5.1.1 <eve@example.org>: User unknown');
  expect(parsed.inReplyTo).toBe(messageId);
  expect(raw).not.toContain('ann@example.org>: ');
  expect(raw).toContain('Final-Recipient: rfc822; eve@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n');
  expect(raw).toContain(
    'Final-Recipient: rfc822; mallory@example.org\r\nAction: failed\r\nStatus: 5.2.1\r\n',
  );
  expect(raw).toContain('Diagnostic-Code: smtp; 550-5.2.1 The mailbox is 550 5.2.1 disabled');
  expect(raw).toContain(`Message-ID: ${messageId}`);
  expect((await eventsOf(database.query, queueId)).map(({ type }) => type)).toContain('notified');
});

for (const [words, mail] of [
  ['the null sender', { from: '' }],
  [
    'a mail that was sent by itself',
    { content: 'From: a@example.com\r\nAuto-Submitted: auto-replied\r\n\r\nAway.\r\n' },
  ],
  ['a mailing list', { content: 'From: a@example.com\r\nPrecedence: bulk\r\n\r\nNews.\r\n' }],
] as const) {
  test(`${words} is never answered`, async () => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    provider.on('rcpt', '550 5.1.1 User unknown');
    await using _ = await openWayOut(database.url, environmentFor(provider));
    const { queueId } = await queueMail(database.query, mail);
    await settled(database.query, queueId, ['bounced']);
    // Whatever follows a bounce has been queued by the time the next mail is finished.
    provider.behave();
    // Another address: the first is on the suppression list now.
    const next = await queueMail(database.query, { to: ['carol@example.org'] });
    await settled(database.query, next.queueId, ['sent']);
    expect((await database.query('select from message')).rowCount).toBe(2);
  });
}

test('a notice that the provider refuses ends in the timeline: no loop, and no lane is stopped for it', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '550 5.1.1 User unknown', to('eve@example.org'));
  provider.on('mail', '553 5.7.1 Sender address rejected: not owned by user', {
    when: ({ command }) => command.includes('<>'),
  });
  await using wayOut = await openWayOut(database.url, environmentFor(provider));
  await queueMail(database.query, { to: ['eve@example.org'] });
  await until(async () => (await countByStatus(database.query)).bounced === 2, {
    what: 'the notice to be given up',
  });
  const next = await queueMail(database.query);
  await settled(database.query, next.queueId, ['sent']);
  expect(wayOut.delivery.report().lanes[0]).toMatchObject({ state: 'open', held_senders: [] });
  expect((await database.query('select from message')).rowCount).toBe(3);
});

test('mail that is deferred beyond the lifetime of the queue expires, and the submitter hears of it', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '450 4.2.1 Mailbox busy', to('ann@example.org'));
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query, { receivedAt: "now() - interval '4 days'" });
  expect(await settled(database.query, queueId, ['expired', 'deferred'])).toMatchObject({
    status: 'expired',
  });
  await until(() => provider.messages.length === 1, { what: 'the notice' });
  expect(provider.messages[0]?.raw.toString()).toContain('Action: failed\r\nStatus: 5.4.7\r\n');
});

test('what expired gets one more attempt when a person asks for it, whatever its age and lateness', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '450 4.2.1 Mailbox busy', { times: 1 });
  const id = '01900000-0000-7000-8000-000000000001';
  await database.query(
    `insert into email (id, kind, from_address, recipients, subject, message_id, due_at, max_lateness, token,
       next_hand_over_at)
     values ($1, 'single', 'mailer@example.com', '[{"kind":"to","address":"ann@example.org","name":null}]', 'Late',
       '<late@test.example>', now() - interval '2 hours', interval '1 hour', '\\x00', now())`,
    [id],
  );
  const { queueId } = await queueMail(database.query, {
    emailId: id,
    receivedAt: "now() - interval '4 days'",
  });
  await database.query(
    `update email set queue_id = $2, status = 'queued', accepted_at = now(), next_hand_over_at = null where id = $1`,
    [id, queueId],
  );
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const expired = () => settled(database.query, queueId, ['expired', 'sent', 'deferred']);
  await using postern = openDatabase({
    url: database.url,
    applicationName: 'test',
    log: openLog('api', 'silent'),
  });
  const asked = () => provider.commands().filter((line) => line.startsWith('RCPT')).length;
  expect(await expired()).toMatchObject({ status: 'expired', reason: 'too-late' });
  expect(asked()).toBe(0);

  for (const [attempts, status] of [
    [1, 'expired'],
    [2, 'sent'],
  ] as const) {
    expect(await retryEmail(postern, id, 'ann')).toMatchObject({ outcome: 'retried' });
    await until(() => asked() === attempts, { what: 'the attempt' });
    expect(await expired()).toMatchObject({ status });
  }
});

test('time in which no lane was open does not count towards the lifetime', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '450 4.2.1 Mailbox busy');
  // As left behind by a relay that was down for the last two of four days.
  await database.query("update open_clock set last_open_at = now() - interval '2 days'");
  const { queueId } = await queueMail(database.query, { receivedAt: "now() - interval '4 days'" });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  expect(await settled(database.query, queueId, ['expired', 'deferred'])).toMatchObject({
    status: 'deferred',
  });
});

test('a restored database holds everything that is not finished until somebody releases it', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  {
    await using _ = await openWayOut(database.url, environmentFor(provider));
  }
  await database.query("update database_identity set system_identifier = '1'");
  const { queueId } = await queueMail(database.query);
  await using _ = await openWayOut(database.url, environmentFor(provider));
  expect(await settled(database.query, queueId, ['held', 'sent'])).toMatchObject({
    status: 'held',
    reason: 'database-restored',
  });
  const next = await queueMail(database.query);
  await settled(database.query, next.queueId, ['sent']);
  expect((await recipientsOf(database.query, queueId))[0]?.status).toBe('held');
});

test('in capture mode nothing leaves, and off the allowlist nothing does either', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const { queueId } = await queueMail(database.query, { to: ['ann@example.org', 'colleague@example.com'] });
  {
    await using _ = await openWayOut(database.url, environmentFor(provider, { DELIVERY_MODE: 'capture' }));
  }
  expect((await recipientsOf(database.query, queueId)).map(({ status }) => status)).toEqual([
    'queued',
    'queued',
  ]);
  await using _ = await openWayOut(
    database.url,
    environmentFor(provider, { DELIVERY_MODE: 'allowlist', DELIVERY_ALLOWLIST: '*@example.com' }),
  );
  await until(async () => (await recipientsOf(database.query, queueId))[1]?.status === 'sent', {
    what: 'the colleague to get it',
  });
  expect((await recipientsOf(database.query, queueId))[0]?.status).toBe('captured');
  expect(provider.messages[0]?.envelope.recipients).toEqual(['colleague@example.com']);
});
