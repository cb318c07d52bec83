import { describe, expect, test } from 'vitest';
import { admit } from '../../../relay/submission/admission.ts';

const ask = (header: string | Buffer, wishes: { mayHandOverEmails?: boolean } = {}) =>
  admit({
    bytes: Buffer.isBuffer(header) ? header : Buffer.from(`${header}\r\n\r\nx\r\n`),
    ended: true,
    allowed: ['*@example.com'],
    mailFrom: 'ann@example.com',
    rewriteTo: undefined,
    mayHandOverEmails: wishes.mayHandOverEmails ?? false,
    now: new Date('2026-01-05T10:00:00Z'),
  });

describe('a From that one reading only is possible of passes', () => {
  test.each([
    ['From: ann@example.com'],
    ['From : ann@example.com'],
    ['fRoM:ann@example.com'],
    ['From:\r\n ann@example.com'],
    ['From: Ann\r\n\t<ann@example.com>'],
    ['From: <ann@example.com>'],
    ['From: Ann <ann@example.com>'],
    ['From: "Example, Inc." <ann@example.com>'],
    ['From: "ceo@victim.example" <ann@example.com>'],
    ['From: J. Doe [Support] <ann@example.com>'],
    ['From: ann@example.com (Cron Daemon)'],
    ['From: =?utf-8?Q?M=C3=BCller?= <ann@example.com>'],
    ['From: Jürgen <ann@example.com>'],
    ['From: ann@example.com, Bob <bob@example.com>'],
    ['From: a..b.@example.com'],
    ['From: "odd user"@example.com'],
  ])('%s', (header) => expect(ask(header)).toHaveProperty('headerFrom'));

  test('names in any octets, such as ISO 8859-1', () => {
    const bytes = Buffer.from('From: J\xfcrgen <ann@example.com>\r\n\r\n', 'latin1');
    expect(ask(bytes)).toHaveProperty('headerFrom', 'ann@example.com');
  });
});

const twoReadings = [
  'ceo@victim.example <ann@example.com>',
  '<ceo@victim.example> <ann@example.com>',
  'Ann <ceo@victim.example> <ann@example.com>',
  '<ann@example.com> <ceo@victim.example>',
  '<ann@example.com> ceo@victim.example',
  'ceo@victim.example:ann@example.com;',
  'us: ann@example.com, bob@example.com;',
  'undisclosed-recipients:;',
  'Ann <@victim.example:ann@example.com>',
  '<@victim.example,@b.example:ann@example.com>',
  'ann@example.com (<ceo@victim.example>)',
  '(ceo@victim.example) ann@example.com',
  'ann@example.com (never closed',
  'ann@example.com (a \\) <ceo@victim.example>)',
  '"Ann <ann@example.com>',
  '"x" <ceo@victim.example> "y <ann@example.com>',
  '"x\\" <ceo@victim.example> \\"y" <ann@example.com>',
  '=?utf-8?B?Y2VvQHZpY3RpbS5leGFtcGxl?= <ann@example.com>',
  '=?utf-8?Q?ceo=40victim.example?= <ann@example.com>',
  '=?utf-8?Q?ceo?==?utf-8?Q?=40victim.example?= <ann@example.com>',
  '=?utf-7?Q?ceo+AEA-victim.example?= <ann@example.com>',
  'ceo@victim.example\r\n <ann@example.com>',
  '"ceo@victim.example\r\n "<x>" <ann@example.com>',
  'Ann <ann@example.com',
  'ann@example.com>',
  'ann@example.com,',
  ',ann@example.com',
  'ann@example.com; bob@example.com',
  'ann@example.com bob@example.com',
  'ann@@example.com',
  'ann@example.com@victim.example',
  'ann@victim.example@example.com',
  'ann @ example.com',
  'ann@example.com\\',
  'mailto:ann@example.com',
  'Ann',
  'root (Cron Daemon)',
  '',
  'ann@example.com\u0000',
  '\u0000ann@example.com',
  'Ann\u0000 <ann@example.com>',
  'Ann\u001b <ann@example.com>',
  'ann\u200b@example.com',
  'ann＠victim.example <ann＠example.com>',
];
const shownNames = ['From', 'Sender', 'Resent-From', 'Resent-Sender'] as const;

describe.each(shownNames)('%s', (name) => {
  const besides = name === 'From' ? '' : 'From: ann@example.com\r\n';

  test.each(twoReadings)('%j is refused, with the fault and the way out', (value) => {
    const refusal = ask(`${besides}${name}: ${value}`);
    expect(refusal).toMatchObject({ code: 554, enhanced: '5.6.0' });
    const { text } = refusal as { text: string };
    expect(text).toMatch(new RegExp(`^The ${name} field `));
    expect(text).toMatch(/accepted/);
    expect(text).toMatch(/^[\x20-\x7e]{1,493}$/);
  });

  test.each(['eve@victim.example', 'Eve <eve@victim.example>', '"ann@example.com" <eve@victim.example>'])(
    '%s is not allowed',
    (value) => {
      const refusal = ask(`${besides}${name}: ${value}`);
      expect(refusal).toMatchObject({ code: 550, enhanced: '5.7.1' });
      expect(refusal).toHaveProperty(
        'text',
        expect.stringContaining(`<eve@victim.example> in ${name} is not`),
      );
    },
  );

  test('an allowed one passes', () => {
    expect(ask(`${besides}${name}: Bob <bob@example.com>`)).toHaveProperty('headerFrom');
  });
});

describe('several', () => {
  test.each([
    ['authors, one of them a stranger', 'From: ann@example.com, eve@victim.example', 550],
    ['From fields', 'From: ann@example.com\r\nFrom : bob@example.com', 554],
    ['Sender fields', 'From: ann@example.com\r\nSender: ann@example.com\r\nSENDER: bob@example.com', 554],
    ['mailboxes in Sender', 'From: ann@example.com\r\nSender: ann@example.com, bob@example.com', 554],
    [
      'blocks of resending, one by a stranger',
      'Resent-From: ann@example.com\r\nResent-From: eve@victim.example\r\nFrom: ann@example.com',
      550,
    ],
  ])('%s are refused', (_, header, code) => expect(ask(header)).toMatchObject({ code }));

  test('blocks of resending by those who may are accepted', () => {
    const header = 'Resent-From: ann@example.com\r\nResent-From: bob@example.com\r\nFrom: ann@example.com';
    expect(ask(header)).toHaveProperty('headerFrom', 'ann@example.com');
  });
});

test('a name that Postern encoded itself is no stranger’s', () => {
  const header =
    `X-Postern-Email: 019a0000-0000-7000-8000-000000000001 00ff\r\n` +
    'From: =?utf-8?Q?M=C3=BCller_=3C3?= <ann@example.com>';
  expect(ask(header, { mayHandOverEmails: true })).toHaveProperty('headerFrom', 'ann@example.com');
  expect(ask(header.replace(/^.*\r\n/, ''), { mayHandOverEmails: true })).toMatchObject({ code: 554 });
});
