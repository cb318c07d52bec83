// MAIL and RCPT say what the mail needs, and only to a server that has said it understands.
import { expect, test } from 'vitest';
import { mailCommand, rcptCommand } from '../../../relay/smtp/envelope-commands.ts';

const mail = {
  sender: 'ann@example.com',
  recipients: ['bob@example.net'],
  size: 99,
  eightBit: false,
  utf8Header: false,
};
const all = () => true;
const none = () => false;
const dsn = {
  ret: 'HDRS',
  envid: 'a+2Bb',
  recipients: new Map([['bob@example.net', { notify: 'NEVER', orcpt: 'rfc822;bob@example.net' }]]),
};

test.each([
  ['its size', {}, 'MAIL FROM:<ann@example.com> SIZE=99'],
  ['the null sender', { sender: '', size: 0 }, 'MAIL FROM:<>'],
  ['8-bit text', { eightBit: true }, 'MAIL FROM:<ann@example.com> BODY=8BITMIME SIZE=99'],
  ['a header in UTF-8', { utf8Header: true }, 'MAIL FROM:<ann@example.com> SMTPUTF8 SIZE=99'],
  [
    'a recipient in UTF-8',
    { recipients: ['böb@example.net'] },
    'MAIL FROM:<ann@example.com> SMTPUTF8 SIZE=99',
  ],
  ['a sender in UTF-8', { sender: 'änn@example.com' }, 'MAIL FROM:<änn@example.com> SMTPUTF8 SIZE=99'],
  ['what the submitter wants back', { dsn }, 'MAIL FROM:<ann@example.com> SIZE=99 RET=HDRS ENVID=a+2Bb'],
])('MAIL says %s', (_, more, expected) => {
  expect(mailCommand({ ...mail, ...more }, all)).toBe(expected);
  // Nothing but the address where the server has offered nothing.
  expect(mailCommand({ ...mail, ...more }, none)).toBe(/^MAIL FROM:<.*>/.exec(expected)?.[0]);
});

test('RCPT says what is to be told of this recipient, as it came', () => {
  expect(rcptCommand('bob@example.net', { dsn }, all)).toBe(
    'RCPT TO:<bob@example.net> NOTIFY=NEVER ORCPT=rfc822;bob@example.net',
  );
  expect(rcptCommand('eve@example.net', { dsn }, all)).toBe('RCPT TO:<eve@example.net>');
  expect(rcptCommand('bob@example.net', { dsn }, none)).toBe('RCPT TO:<bob@example.net>');
});

test.each(['a@b>\r\nDATA', 'a@b\n', '<a@b'])(
  'an address that would be a command of its own is none: %j',
  (address) => {
    expect(() => rcptCommand(address, {}, all)).toThrow('Invalid address');
    expect(() => mailCommand({ ...mail, sender: address }, all)).toThrow('Invalid address');
  },
);
