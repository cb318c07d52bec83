// What no rule knows is grouped by its wording, and nothing in the wording tells of a person or a machine.
import { expect, test } from 'vitest';
import { openLogDigest } from '../../../relay/verdict/log-digest.ts';
import { templateOf } from '../../../relay/verdict/unnamed.ts';

test.each([
  ['554 Frobnicated for ann@example.com (id 4711abcd)', '554 Frobnicated for <address> (id <id>)'],
  ['550 5.7.1 zorp mx1.example.net [192.0.2.7] says no', '550 5.7.1 zorp <host> [<ip>] says no'],
  ['550-first\r\n550 second https://example.org/e?u=ann', '550-first second <link>'],
])('%j becomes %j', (reply, template) => expect(templateOf(reply)).toBe(template));

test('a wording is cut, and control characters do not pass', () => {
  expect(templateOf(`550 ${'zorp \u0000'.repeat(1_000)}`).length).toBeLessThanOrEqual(300);
});

test('a log of a day: causes are counted, unknown words are grouped', () => {
  const digest = openLogDigest();
  for (const line of [
    'Nov 29 10:00:00 mx1 postfix/smtp[77]: A1B2: to=<ann@example.com>, relay=mx.example.net[192.0.2.1]:25, status=bounced (host mx.example.net[192.0.2.1] said: 550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown (in reply to RCPT TO command))',
    '2026-11-29 10:00:00 1abc-2def-3g ** bob@example.com R=dnslookup T=remote_smtp: SMTP error from remote mail server after RCPT TO:<bob@example.com>: 550 Unknown user',
    '{"level":"info","event":"bounced","reply":"554 Zorp 4711 frobnicated 1a2b3c4d for a***@example.com"}',
    '{"level":"info","event":"bounced","reply":"554 Zorp 4712 frobnicated 9z8y7x6w for b***@example.net"}',
    'connect to smtp.example.com port 465, then 587',
  ])
    digest.read(line);
  const told = digest.describe();
  expect(told).toContain('5 lines, 4 refusals.');
  expect(told).toMatch(/2 {2}user-unknown/);
  expect(told).toMatch(/2 {2}fail: 554 Zorp <id> frobnicated <id> for <address>/);
  expect(told).not.toContain('example');
});

test('a log without end takes no memory without end', () => {
  const digest = openLogDigest();
  const word = (n: number) => [...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
  for (let n = 0; n < 2_000; n++) digest.read(`said: 554 Zorp q${word(n)} no`);
  expect(digest.describe()).toContain('1500 refusals more that were not grouped');
});
