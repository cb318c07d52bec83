import { expect, test } from 'vitest';
import { readAttachments } from '../../../../relay/client/email/attachment.ts';
import { readDeliveries } from '../../../../relay/client/email/delivery.ts';
import { insertEmail, insertEmails } from '../../../../relay/client/email/insert.ts';
import { readEmail } from '../../../../relay/client/email/row.ts';
import { appendEvents, readMessageTimeline, readTimeline } from '../../../../relay/client/email/timeline.ts';
import { acceptAs, draft, inSeconds, insert, startPostern } from '../postern.ts';

test('an email is read back as it was asked for', async () => {
  await using postern = await startPostern();
  const dueAt = inSeconds(3600);
  const asked = draft({
    kind: 'scheduled',
    replyTo: [{ address: 'help@example.com', name: 'Help' }],
    recipients: [
      { kind: 'to', address: 'ann@example.com', name: 'Ann "A" Åberg' },
      { kind: 'bcc', address: 'audit@example.com' },
    ],
    subject: 'Grüße 🙂',
    html: '<p>Hello</p>',
    headers: [{ name: 'X-Case', value: '7' }],
    dueAt,
    timeZone: 'Europe/Berlin',
    localTime: '2030-01-01T09:00',
    onUncertain: 'hold',
    clientId: 'acme',
    entryKey: 'welcome',
  });
  const { id, messageId, claim } = await insert(postern.database, asked);

  expect(claim).toBeUndefined();
  expect(await readEmail(postern.database, id)).toMatchObject({
    ...asked,
    id,
    messageId,
    status: 'pending',
    maxLateness: 'PT24H',
    priority: 2,
    paused: false,
    queueId: null,
    latenessMs: null,
    revision: 1,
  });
  expect(messageId).toBe(`<${id}@example.com>`);
  expect(await readTimeline(postern.database, id)).toMatchObject([
    { type: 'created', emailId: id, detail: { kind: 'scheduled' } },
  ]);
  expect(await readEmail(postern.database, '01900000-0000-7000-8000-000000000000')).toBeUndefined();
});

test.each([
  ['PT24H', 'PT24H'],
  ['P1DT90M', 'P1DT1H30M'],
  ['PT0.5S', 'PT0.5S'],
  ['PT0S', 'PT0S'],
  ['P2Y3M', 'P2Y3M'],
])('a max_lateness of %s is read as %s', async (given, read) => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { maxLateness: given });
  expect(await readEmail(postern.database, id)).toMatchObject({ maxLateness: read });
});

test('an immediate mail has no limit and is born leased to its inserter', async () => {
  await using postern = await startPostern();
  const { id, token, messageId, claim } = await insert(postern.database, { kind: 'invitation' });
  expect(claim).toMatchObject({ id, token, messageId, attempts: 1, hasAttachments: false, subject: 'Hello' });
  expect(await readEmail(postern.database, id)).toMatchObject({
    maxLateness: null,
    priority: 0,
    handOverAttempts: 1,
  });

  const { rows } = await postern.db.query<{ lease: number }>(
    'select extract(epoch from next_hand_over_at - created_at)::float8 as lease from email where id = $1',
    [id],
  );
  expect(rows[0]?.lease).toBe(5);
});

test('what the caller rolls back was never asked for', async () => {
  await using postern = await startPostern();
  const failing = postern.database.transaction(async (tx) => {
    await insertEmail(tx, draft());
    throw new Error('the customer exists');
  });
  await expect(failing).rejects.toThrow('the customer exists');
  const { rows } = await postern.db.query('select from email union all select from event');
  expect(rows).toHaveLength(0);
});

test('many emails are stored at once and answered in their order', async () => {
  await using postern = await startPostern();
  const subjects = Array.from({ length: 100 }, (_, i) => `Number ${i}`);
  const inserted = await postern.database.transaction((tx) =>
    insertEmails(
      tx,
      subjects.map((subject) => draft({ subject })),
    ),
  );
  const { rows } = await postern.db.query<{ id: string; subject: string }>('select id, subject from email');
  const byId = new Map(rows.map(({ id, subject }) => [id, subject]));
  expect(inserted.map(({ id }) => byId.get(id))).toEqual(subjects);
  expect(new Set(inserted.map(({ token }) => token.toString('hex'))).size).toBe(100);
  expect(await insertEmails(postern.database, [])).toEqual([]);
});

test('a form or a batch costs PostgreSQL little memory: no list is long, and large texts stand alone', async () => {
  await using postern = await startPostern();
  const kilobytes = [1, 700, 200, 200, 200, 1, 600, 1];
  const drafts = kilobytes.map((size, i) =>
    draft({
      subject: `Number ${i}`,
      text: `${i}`.padEnd(size * 1_000, 'ü'),
      ...(i % 2 && { html: `<p>${i}` }),
    }),
  );
  const lists: string[] = [];
  const inserted = await postern.database.transaction((tx) =>
    insertEmails(
      {
        query: (statement, values) => {
          if (typeof statement === 'object' && statement.name === 'insert-emails')
            lists.push(String(statement.values?.[0]));
          return tx.query(statement, values);
        },
      },
      drafts,
    ),
  );
  expect(lists.map((list) => JSON.parse(list).length)).toEqual([1, 1, 2, 2, 1, 1]);
  expect(Math.max(...lists.map(({ length }) => length))).toBeLessThan(600_000);
  for (const [i, { id }] of inserted.entries()) {
    const { subject, text, html } = (await readEmail(postern.database, id)) ?? {};
    const asked = drafts[i];
    expect([subject, text === asked?.text, html]).toEqual([asked?.subject, true, asked?.html ?? null]);
  }
});

test('attachments keep every byte and their order', async () => {
  await using postern = await startPostern();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const attachments = [
    { filename: 'all-bytes.bin', contentType: 'application/octet-stream', content: bytes },
    { filename: 'logo.png', contentType: 'image/png', contentId: 'logo', content: Buffer.from('png') },
  ];
  const { id, claim } = await insert(postern.database, { attachments });
  expect(claim?.hasAttachments).toBe(true);
  expect(await readAttachments(postern.database, id)).toEqual([
    { ...attachments[0], contentId: undefined },
    attachments[1],
  ]);
});

test('without a From address the mail is kept and says why', async () => {
  await using postern = await startPostern();
  const { id, claim } = await insert(postern.database, { from: undefined });
  expect(claim).toBeUndefined();
  expect(await readEmail(postern.database, id)).toMatchObject({
    status: 'held',
    from: null,
    reason: 'not-configured',
    reasonDetail: expect.stringContaining('SMTP_FROM_EMAIL'),
  });
  expect((await readTimeline(postern.database, id)).map(({ type }) => type)).toEqual(['created', 'held']);
});

test('the recipients that the relay took tell what became of each', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  expect(await readDeliveries(postern.database, id)).toEqual([]);
  await acceptAs(postern, id, [{ status: 'sent', marked: true }, { status: 'bounced' }]);
  expect(await readDeliveries(postern.database, id)).toMatchObject([
    { address: 'r0@example.com', status: 'sent' },
    { address: 'r1@example.com', status: 'bounced' },
  ]);
  expect(await readEmail(postern.database, id)).toMatchObject({ status: 'bounced' });
});

test('lateness counts from the due time to the sending', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { dueAt: inSeconds(-60) });
  await acceptAs(postern, id, [{ status: 'sent', marked: true }]);
  const email = await readEmail(postern.database, id);
  expect(email?.latenessMs).toBeGreaterThanOrEqual(60_000);
  expect(email?.latenessMs).toBeLessThan(90_000);
});

test('the timeline keeps the order in which things were said', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await appendEvents(postern.database, [
    { type: 'queued', emailId: id, queueId: 'Q1' },
    {
      type: 'attempt',
      emailId: id,
      queueId: 'Q1',
      recipient: 'ann@example.com',
      detail: { reply: '250 "ok" \\ {,}' },
    },
    { type: 'sent', emailId: id, queueId: 'Q1' },
    { type: 'queued', queueId: 'Q2' },
  ]);
  await appendEvents(postern.database, []);
  const timeline = await readTimeline(postern.database, id);
  expect(timeline.map(({ type }) => type)).toEqual(['created', 'queued', 'attempt', 'sent']);
  expect(timeline[2]).toMatchObject({ recipient: 'ann@example.com', detail: { reply: '250 "ok" \\ {,}' } });
  expect(await readMessageTimeline(postern.database, 'Q1')).toEqual([]);
  expect(await readMessageTimeline(postern.database, 'Q2')).toMatchObject([
    { type: 'queued', emailId: null },
  ]);
});
