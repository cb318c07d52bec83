// BOUNCE_VERP: the envelope sender names the mail, a report to it finds it, and a provider that refuses it stops nothing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { readReport } from '../../../relay/bounces/read-report.ts';
import { recordReport } from '../../../relay/bounces/record-report.ts';
import { queueIdIn, taggedSender } from '../../../relay/client/queue-id.ts';
import { examine } from '../../../relay/doctor/examine.ts';
import { readSettings } from '../../../relay/doctor/settings.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../kit/database.ts';
import { type Provider, startProvider } from '../../kit/provider.ts';
import { environmentFor, openWayOut, queueMail, settled } from './way-out.ts';

const verp = { BOUNCE_VERP: 'on', BOUNCE_IMAP_HOST: 'imap.example.com' };
const from = 'mailer@example.com';

let provider: Provider;
let database: TestDatabase;
beforeAll(async () => {
  [provider, database] = await Promise.all([startProvider(), freshDatabase()]);
});
afterAll(async () => {
  await provider?.[Symbol.asyncDispose]();
  await database?.stop();
});

const isTagged = (sender: string) => queueIdIn(sender) !== undefined;
const sendersOf = (messageId: string) => provider.copiesOf(messageId).map(({ envelope }) => envelope.sender);

test('the sender carries the id, the null sender does not, and a report to it finds the mail', async () => {
  await using _ = await openWayOut(database.url, environmentFor(provider, verp));
  const mail = await queueMail(database.query, { from });
  const notice = await queueMail(database.query, { from: '', headerFrom: from });
  for (const { queueId } of [mail, notice])
    expect(await settled(database.query, queueId)).toMatchObject({ status: 'sent' });
  const tagged = `mailer+${mail.queueId}@example.com`;
  expect(sendersOf(mail.messageId)).toEqual([tagged]);
  expect(sendersOf(notice.messageId)).toEqual(['']);

  // Nothing is returned of the mail: only the address tells which it was.
  const bytes = Buffer.from(
    [
      'Return-Path: <>',
      `Delivered-To: ${tagged.toLowerCase()}`,
      'From: MAILER-DAEMON@mx.example.net',
      'Subject: Undelivered mail',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
      '',
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.example.net',
      '',
      'Final-Recipient: rfc822; ann@example.org',
      'Action: failed',
      'Status: 5.1.1',
      '--b--',
      '',
    ].join('\r\n'),
  );
  const reading = await readReport(bytes);
  if (reading.outcome === 'none') throw new Error('This is a report');
  await using relay = openDatabase({ url: urlOfProcess(database.url, 'relay'), applicationName: 'test' });
  expect(await recordReport(relay, bytes, reading)).toMatchObject({ outcome: 'matched' });
  expect(await settled(database.query, mail.queueId)).toMatchObject({ status: 'bounced' });
});

test.each([
  ['mail', '553 5.7.1 Sender address rejected: not owned by user'],
  ['mail', '550 no'],
  ['rcpt', '553 5.7.1 <mailer+x@example.com>: Sender address rejected: not owned by user mailer'],
  ['dot', '550 5.7.60 SMTP; Client does not have permissions to send as this sender'],
] as const)(
  'a provider that refuses it at %s with %s gets the plain sender at once',
  async (stage, reply) => {
    provider.behave();
    provider.on(stage, reply, { when: ({ envelope, command }) => isTagged(envelope.sender || command) });
    await using wayOut = await openWayOut(database.url, environmentFor(provider, verp));
    const { queueId, messageId } = await queueMail(database.query, { from });
    expect(await settled(database.query, queueId)).toMatchObject({ status: 'sent' });
    const before = provider.commands().filter((command) => isTagged(command)).length;
    const next = await queueMail(database.query, { from });
    expect(await settled(database.query, next.queueId)).toMatchObject({ status: 'sent' });
    expect([...sendersOf(messageId), ...sendersOf(next.messageId)]).toEqual([from, from]);
    // It was asked once; from then on nobody tries it.
    expect(provider.commands().filter((command) => isTagged(command))).toHaveLength(before);
    expect((await database.query('select from sender_hold')).rowCount).toBe(0);
    expect(wayOut.alerts).toEqual([]);
  },
);

test('the doctor says so', async () => {
  provider.behave();
  provider.on('mail', '553 5.7.1 Not yours', { when: ({ command }) => isTagged(command) });
  const source = { ...provider.environment(), ...verp, SMTP_FROM_EMAIL: from };
  const platform = { id: 'plain', name: 'a test' } as const;
  const examination = await examine({ reading: readSettings(source, 'plain'), platform, controls: false });
  expect(examination.ok).toBe(true);
  expect(examination.notes.join(' ')).toContain('BOUNCE_VERP is on, and 127.0.0.1 takes no sender');
});

test('an address without room for it stays as it is', () => {
  expect(taggedSender(`${'a'.repeat(48)}@example.com`, '01KXQ6Z9W8V7T6S5')).toBe(
    `${'a'.repeat(48)}@example.com`,
  );
  expect(taggedSender('"a b"@example.com', '01KXQ6Z9W8V7T6S5')).toBe('"a b"@example.com');
  expect(queueIdIn('<shop+spring@example.com>')).toBeUndefined();
});

test.each([
  [{ ...verp, SMTP_HOST: 'mail.privateemail.com' }, 'takes no such sender'],
  [{ BOUNCE_VERP: 'on' }, 'no mailbox is read'],
])('%o is named and switched off', (changes, words) => {
  const environment = environmentFor(undefined, {
    SMTP_HOST: 'smtp.example.com',
    SMTP_USER: from,
    SMTP_PASSWORD: 'an invented password',
    SMTP_FROM_EMAIL: from,
    ...changes,
  });
  expect(environment.bounceVerp).toBe(false);
  expect(environment.problems.find(({ variable }) => variable === 'BOUNCE_VERP')?.problem).toContain(words);
});
