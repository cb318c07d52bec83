// Whoever can write to the mailbox can send anything: it must end, within bounds, and change nothing else.
import { describe, expect, test } from 'vitest';
import { readLimit } from '../../../relay/bounces/parts.ts';
import { readReport } from '../../../relay/bounces/read-report.ts';
import { recipientLimit, replyLimit } from '../../../relay/bounces/report.ts';
import { part, parts, plain, report } from './reports/compose.ts';

const failed = (address: string) => `Final-Recipient: rfc822; ${address}\nAction: failed\nStatus: 5.1.1\n`;

function nested(depth: number): string {
  const opened = Array.from(
    { length: depth },
    (_, at) => `Content-Type: multipart/mixed; boundary="b${at}"\n\n--b${at}\n`,
  );
  return `From: MAILER-DAEMON@x.example\n${opened.join('')}Content-Type: text/plain\n\nend\n`;
}

describe('what is no mail to read', () => {
  test.each([
    ['a thousand parts inside each other', nested(1000)],
    [
      'a thousand parts beside each other',
      parts({}, ...Array.from({ length: 1000 }, () => part('text/plain', 'x'))),
    ],
    ['a header without an end', `From: a@b.example\nX-Long: ${'x'.repeat(600_000)}`],
    ['a header of very many lines', `From: a@b.example\n${'X-Many: y\n'.repeat(60_000)}\nbody`],
  ])('%s is unreadable', async (_, eml) => {
    expect(await readReport(Buffer.from(eml))).toMatchObject({
      outcome: 'unreadable',
      why: expect.stringMatching(/.+/),
    });
  });

  test.each([
    ['zeros', Buffer.alloc(10_000)],
    ['all bytes', Buffer.from(Array.from({ length: 4096 }, (_, at) => at % 256))],
    [
      'a boundary that is never used',
      Buffer.from('From: a@b.example\nContent-Type: multipart/report; boundary=x\n\nhello'),
    ],
    [
      'a character set that does not exist',
      Buffer.from(plain({ 'Content-Type': 'text/plain; charset=x-none' }, 'hello')),
    ],
  ])('%s is no report', async (_, bytes) => {
    expect(await readReport(bytes)).toEqual({ outcome: 'none' });
  });
});

describe('a report', () => {
  test('of 25 MB is read by its beginning', async () => {
    const returned = `Message-ID: <m1@example.org>\n\n${'x'.repeat(25 * 1024 * 1024)}`;
    const bytes = Buffer.from(
      report({}, 'failed', `Reporting-MTA: dns; x\n\n${failed('anna@customer.example')}`, returned),
    );
    expect(await readReport(bytes)).toMatchObject({
      outcome: 'report',
      recipients: [{ address: 'anna@customer.example' }],
      returned: { messageIds: ['m1@example.org'] },
    });
  });

  test('whose part for machines lies behind what is read is none', async () => {
    const filled = 'x'
      .repeat(75)
      .concat('\n')
      .repeat(readLimit / 76 + 100);
    const eml = report(
      { From: 'anna@customer.example', 'Return-Path': '<anna@customer.example>' },
      filled,
      failed('a@b.example'),
    );
    expect(await readReport(Buffer.from(eml))).toEqual({ outcome: 'none' });
  });

  test('about more recipients than a mail can have names only so many', async () => {
    const blocks = Array.from({ length: 1000 }, (_, at) => failed(`a${at}@customer.example`)).join('\n');
    const reading = await readReport(Buffer.from(report({}, 'failed', `Reporting-MTA: dns; x\n\n${blocks}`)));
    expect(reading).toMatchObject({ outcome: 'report' });
    expect(reading.outcome === 'report' && reading.recipients).toHaveLength(recipientLimit);
  });

  test('keeps only the beginning of what a server said', async () => {
    const status = `${failed('anna@customer.example')}Diagnostic-Code: smtp; 550 ${'no '.repeat(5000)}\n`;
    const reading = await readReport(Buffer.from(report({}, 'failed', status)));
    expect(reading.outcome === 'report' && reading.recipients[0]?.reply.length).toBe(replyLimit);
  });

  test('may name its fields as it likes', async () => {
    const status = `__proto__: x\nconstructor: y\n${failed('anna@customer.example')}`;
    expect(await readReport(Buffer.from(report({}, 'failed', status)))).toMatchObject({
      recipients: [{ address: 'anna@customer.example' }],
    });
  });
});

test.each([
  ['deliver ', 'deliver '],
  ['550 ', '550 '],
  ['an at sign', '@'],
  ['angle brackets', '<a@'],
  ['a returned header', 'Received: x\n'],
  ['dashes', '-'],
  ['to: <', 'to: <'],
  ['new lines', ' \n'],
  ['could not be', 'could not be '],
  ['after rcpt', '550 after rcpt '],
])('words of nothing but "%s" come to an end', async (_, word) => {
  const text = word.repeat(Math.ceil(70_000 / word.length));
  for (const eml of [plain({}, text), report({}, text, failed('anna@customer.example'))]) {
    expect((await readReport(Buffer.from(eml))).outcome).not.toBe('unreadable');
  }
});
