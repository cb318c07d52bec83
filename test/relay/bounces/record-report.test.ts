import { expect, test } from 'vitest';
import { readReport } from '../../../relay/bounces/read-report.ts';
import { type Recorded, recordReport } from '../../../relay/bounces/record-report.ts';
import { readDeliveries } from '../../../relay/client/email/delivery.ts';
import { readEmail } from '../../../relay/client/email/row.ts';
import { readMessageTimeline, readTimeline } from '../../../relay/client/email/timeline.ts';
import { eraseRecipient } from '../../../relay/client/erasure/erase.ts';
import { cancelEmail } from '../../../relay/client/outbox/cancel.ts';
import { resolveEmail } from '../../../relay/client/outbox/resolve.ts';
import { retryEmail } from '../../../relay/client/outbox/retry.ts';
import { startPostern, type TestPostern } from '../client/postern.ts';
import { address, failed, reportAbout, taken } from './mail-of-ours.ts';

async function recorded(postern: TestPostern, bytes: Buffer): Promise<Recorded> {
  const reading = await readReport(bytes);
  if (reading.outcome === 'none') throw new Error('no report');
  return recordReport(postern.database, bytes, reading);
}

test('mail that was sent and came back is bounced, with what the report says and the time of the 250', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [
    { status: 'sent', marked: true },
    { status: 'sent', marked: true },
  ]);
  const before = await readDeliveries(postern.database, id);
  expect(await recorded(postern, reportAbout(`Message-ID: ${messageId}`))).toMatchObject({ effects: [{}] });

  const [first, second] = await readDeliveries(postern.database, id);
  expect(first).toMatchObject({
    status: 'bounced',
    reason: 'user-unknown',
    replyCode: 550,
    enhancedCode: '5.1.1',
    reply: '550 5.1.1 no such user',
  });
  expect(first?.finishedAt).toEqual(before[0]?.finishedAt);
  expect(first?.bouncedAt).toBeInstanceOf(Date);
  expect(second).toMatchObject({ status: 'sent', bouncedAt: null });
  expect(await readEmail(postern.database, id)).toMatchObject({ status: 'bounced' });
  expect((await readTimeline(postern.database, id)).at(-1)).toMatchObject({
    type: 'bounced',
    recipient: address,
    detail: {
      after_sent: true,
      report: 'failed',
      cause: 'user-unknown',
      reply: '550 5.1.1 no such user',
      matched_by: 'message-id',
    },
  });
});

test('the words of the 250 stay in the timeline, before what the reports say', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  const attempt = { lane: 'SMTP', host: 'smtp.example.com', port: 465, tlsMode: 'implicit', timings: {} };
  await postern.db.query(
    `update recipient set reply_code = 250, reply = '250 2.0.0 taken', enhanced_code = '2.0.0', sent_by = $2
     where email_id = $1`,
    [id, JSON.stringify({ attempt })],
  );
  await recorded(postern, reportAbout(`Message-ID: ${messageId}`, 'Action: delayed\nStatus: 4.4.1'));
  await recorded(postern, reportAbout(`Message-ID: ${messageId}`));
  const timeline = await readTimeline(postern.database, id);
  expect(timeline.slice(-4)).toMatchObject([
    { type: 'attempt', detail: { host: 'smtp.example.com', stage: 'accepted', reply: '250 2.0.0 taken' } },
    { type: 'sent', recipient: address, detail: { code: 250, enhanced: '2.0.0', reply: '250 2.0.0 taken' } },
    { type: 'delayed' },
    { type: 'bounced', detail: { reply: '550 5.1.1 no such user' } },
  ]);
  expect(timeline.at(-3)?.detail).not.toHaveProperty('attempt');
});

test('a report counts once, wherever it lies', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  const delayed = reportAbout(`Message-ID: ${messageId}`, 'Action: delayed\nStatus: 4.4.1');
  expect(await recorded(postern, delayed)).toMatchObject({ outcome: 'matched', effects: [{}] });
  const length = (await readTimeline(postern.database, id)).length;
  const again = await Promise.all([recorded(postern, delayed), recorded(postern, delayed)]);
  expect(again).toEqual([{ outcome: 'known' }, { outcome: 'known' }]);
  expect(await readTimeline(postern.database, id)).toHaveLength(length);
});

test('two relays that read the same report at the same time write it once', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  const bytes = reportAbout(`Message-ID: ${messageId}`);
  const both = await Promise.all([recorded(postern, bytes), recorded(postern, bytes)]);
  expect(both.map(({ outcome }) => outcome).sort()).toEqual(['known', 'matched']);
  expect((await readTimeline(postern.database, id)).filter(({ type }) => type === 'bounced')).toHaveLength(1);
});

test('a warning is an entry of the timeline and no outcome', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  await recorded(postern, reportAbout(`Message-ID: ${messageId}`, 'Action: delayed\nStatus: 4.4.1'));
  expect(await readDeliveries(postern.database, id)).toMatchObject([{ status: 'sent', bouncedAt: null }]);
  expect((await readTimeline(postern.database, id)).at(-1)).toMatchObject({ type: 'delayed' });
});

test.each([
  ['a failure', failed, 'bounced'],
  ['a warning', 'Action: delayed\nStatus: 4.4.1', 'sent'],
  ['a report of success', 'Action: delivered\nStatus: 2.0.0', 'sent'],
])('%s settles what was uncertain, and it is not sent again', async (_, fields, status) => {
  await using postern = await startPostern();
  const { id, queueId, messageId } = await taken(postern, [{ status: 'uncertain', marked: true }]);
  await postern.db.query('update recipient set next_attempt_at = now() where queue_id = $1', [queueId]);
  await recorded(postern, reportAbout(`Message-ID: ${messageId}`, fields));
  expect(await readDeliveries(postern.database, id)).toMatchObject([
    { status, nextAttemptAt: null, finishedAt: expect.any(Date) },
  ]);
  expect(await readEmail(postern.database, id)).toMatchObject({ status });
});

test('cancel, retry and resolve come too late for what came back', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  await recorded(postern, reportAbout(`Message-ID: ${messageId}`));
  expect(await cancelEmail(postern.database, id, 'ann')).toEqual({ outcome: 'too-late', status: 'bounced' });
  expect(await retryEmail(postern.database, id, 'ann')).toEqual({
    outcome: 'not-retryable',
    status: 'bounced',
  });
  expect(await resolveEmail(postern.database, id, 'sent', 'ann')).toEqual({
    outcome: 'nothing-uncertain',
    status: 'bounced',
  });
});

test('what matches nothing changes nothing and is remembered as such', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  const foreign = [
    reportAbout('Message-ID: <0192f0c1-7a10-7abc-8def-001122334455@example.org>'),
    reportAbout(`Message-ID: ${messageId.replace('@', '@not.')}`),
    reportAbout(`Message-ID: ${messageId}`, failed, 'eve@example.com'),
  ];
  for (const bytes of foreign) {
    expect(await recorded(postern, bytes)).toMatchObject({ outcome: 'unmatched', effects: [] });
  }
  expect(await readDeliveries(postern.database, id)).toMatchObject([{ status: 'sent' }]);
  const { rows } = await postern.db.query('select outcome, count(*)::integer from bounce_report group by 1');
  expect(rows).toEqual([{ outcome: 'unmatched', count: 3 }]);
});

test('mail of other applications is found by its Message-ID, by our queue id and by the name that the provider gave it', async () => {
  await using postern = await startPostern();
  for (const [queueId, providerId] of [
    ['01K0000000000001', null],
    ['01K0000000000002', null],
    ['01K0000000000003', 'AM0PR04MB1@eurprd04.prod.outlook.com'],
    ['01K0000000000004', '0102019aaaaaaaaa-11112222-000000'],
  ] as const) {
    await postern.db.query(
      `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
       values ($1, 'app', 'app@example.com', 'app@example.com', $2, 1, 1)`,
      [queueId, `<${queueId}@app.example>`],
    );
    await postern.db.query(
      `insert into recipient (queue_id, ordinal, address, status, priority, finished_at, provider_queue_id)
       values ($1, 0, $2, 'sent', 1, now(), $3)`,
      [queueId, address, providerId],
    );
  }
  const trace = `Received: from app.example ([192.0.2.1])\n\tby relay (Postern) with ESMTPSA id 01K0000000000002;\n\tMon, 30 Nov 2026 10:00:00 +0000`;
  for (const [header, by, queueId] of [
    ['Message-ID: <01K0000000000001@app.example>', 'message-id', '01K0000000000001'],
    [trace, 'queue-id', '01K0000000000002'],
    ['Message-ID: <AM0PR04MB1@eurprd04.prod.outlook.com>', 'provider-id', '01K0000000000003'],
    [
      'Message-ID: <0102019aaaaaaaaa-11112222-000000@eu-west-1.amazonses.com>',
      'provider-id',
      '01K0000000000004',
    ],
  ] as const) {
    expect(await recorded(postern, reportAbout(header))).toMatchObject({
      outcome: 'matched',
      effects: [{ mail: { by, queueId } }],
    });
    expect((await readMessageTimeline(postern.database, queueId)).at(-1)).toMatchObject({ type: 'bounced' });
  }
});

test("a forgotten person's report changes nothing and is kept nowhere", async () => {
  await using postern = await startPostern();
  const { id, queueId, messageId } = await taken(postern, [
    { status: 'sent', marked: true, address: 'ann@example.com' },
  ]);
  await postern.db.query('update recipient set address = $2 where queue_id = $1', [
    queueId,
    'ann@example.com',
  ]);
  await postern.database.transaction((tx) => eraseRecipient(tx, 'ann@example.com', 'ann'));
  const before = await readTimeline(postern.database, id);
  expect(
    await recorded(postern, reportAbout(`Message-ID: ${messageId}`, failed, 'ann@example.com')),
  ).toMatchObject({ effects: [] });
  expect(await readTimeline(postern.database, id)).toEqual(before);
  expect(await readDeliveries(postern.database, id)).toMatchObject([{ status: 'sent' }]);
});

test('a complaint is told to webhooks and changes no status', async () => {
  await using postern = await startPostern();
  const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  await postern.db.query(
    `insert into webhook (id, url) values (gen_random_uuid(), 'https://hooks.example.com/')`,
  );
  const reading = {
    outcome: 'report',
    recipients: [
      {
        address,
        finalAddress: address,
        action: 'complaint',
        status: '',
        code: '',
        reply: 'abuse',
        hard: false,
        cause: null,
      },
    ],
    returned: { messageIds: [messageId.slice(1, -1)], queueIds: [], addressedIds: [], envelopeId: undefined },
  } as const;
  await recordReport(postern.database, Buffer.from('a complaint'), reading);
  expect(await readDeliveries(postern.database, id)).toMatchObject([{ status: 'sent' }]);
  expect((await readTimeline(postern.database, id)).at(-1)).toMatchObject({ type: 'complained' });
  const { rows } = await postern.db.query(
    `select type, data from webhook_delivery where type like 'email.%'`,
  );
  expect(rows).toMatchObject([{ type: 'email.complained', data: { email_id: id, recipient: address } }]);
});

test('a late bounce is told to webhooks as one that came after sending', async () => {
  await using postern = await startPostern();
  const { messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
  await postern.db.query(
    `insert into webhook (id, url) values (gen_random_uuid(), 'https://hooks.example.com/')`,
  );
  await recorded(postern, reportAbout(`Message-ID: ${messageId}`));
  const { rows } = await postern.db.query(
    `select type, data from webhook_delivery where type like 'email.%'`,
  );
  expect(rows).toMatchObject([
    { type: 'email.bounced', data: { after_sent: true, stage: 'accepted', cause: 'user-unknown' } },
  ]);
});
