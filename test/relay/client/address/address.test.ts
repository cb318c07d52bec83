import { describe, expect, test } from 'vitest';
import {
  comparableAddress,
  normalizeAddress,
  readAddress,
} from '../../../../relay/client/address/address.ts';
import { readAuthors } from '../../../../relay/client/address/authors.ts';
import { readMailboxList } from '../../../../relay/client/address/mailbox-list.ts';

describe('an address', () => {
  test.each([
    ...['ann@example.com', "o'neil+tag@sub.example.co", 'a..b@carrier.example', 'a.@carrier.example'],
    ...[
      '"ann b"@example.com',
      '"a@b"@example.com',
      '"a\\"b"@example.com',
      '""@example.com',
      'root@localhost',
    ],
    ...['ann@[192.0.2.1]', 'ann@[IPv6:2001:db8::1]', 'jörg@exämple.com', '用户@example.com', '.a@x.example'],
    ...[`${'a'.repeat(200)}@example.com`, 'ann@xn--bcher-kva.example', 'a_b%c@my_host.example'],
  ])('%s is one', (text) => expect(readAddress(text)).toEqual({ address: text }));

  test.each([
    ...['', 'ann', '@example.com', 'ann@', 'ann@-example.com', 'ann@example-.com', 'ann@example..com'],
    ...['mailto:ann@example.com', 'ann b@example.com', 'ann@b@example.com', '<ann@example.com>', 'ann@.com'],
    ...['ann@example.com.', '"ann@example.com', '"ann"b@example.com', '...@example.com', 'ann@example.com '],
    ...['ann@[IPv6:fe80::1%eth0]', 'ann\u0000@example.com', 'ann\r\n@example.com', 'ann@[192.0.2.300]'],
    ...['ann＠example.com', `${'a'.repeat(250)}@example.com`, `ann@${'a'.repeat(64)}.com`],
    ...['ann\u200b@example.com', 'ann,bob@example.com'],
  ])('%j is none, and the answer says why', (text) =>
    expect(readAddress(text)).toEqual({ fault: expect.stringMatching(/^(?:is|has|holds|begins) /) }),
  );

  test('megabytes are refused without being looked at', () =>
    expect(readAddress('mailto:'.repeat(1_000_000))).toEqual({ fault: expect.stringMatching(/^is longer/) }));

  test('quotes that are not needed and the case make no other mailbox', () => {
    expect(comparableAddress('"Ann"@EXAMPLE.com')).toBe(comparableAddress('ann@example.com'));
    expect(comparableAddress('ann@bücher.example')).toBe(comparableAddress('ann@xn--bcher-kva.example'));
    expect(comparableAddress('"a b"@example.com')).not.toBe(comparableAddress('ab@example.com'));
    expect(normalizeAddress('"a@b"@bücher.example')).toBe('"a@b"@xn--bcher-kva.example');
  });
});

describe('a mailbox list', () => {
  test.each([
    [
      '"Doe, Ann" <ann@example.com>, bob@example.com',
      [{ name: 'Doe, Ann', address: 'ann@example.com' }, { address: 'bob@example.com' }],
    ],
    ['App<app@example.com>', [{ name: 'App', address: 'app@example.com' }]],
    ['J. R. Doe <j@example.com>', [{ name: 'J. R. Doe', address: 'j@example.com' }]],
    ['"a,b"@example.com', [{ address: '"a,b"@example.com' }]],
    ['ann@example.com (Ann Ex)', [{ name: 'Ann Ex', address: 'ann@example.com' }]],
  ])('%s is read', (text, mailboxes) => expect(readMailboxList(text)).toEqual({ mailboxes }));

  test.each([
    ...[
      'Doe, Ann <ann@example.com>',
      'ann@example.com,',
      'a@example.com; b@example.com',
      'x: a@example.com;',
    ],
    ...['<a@example.com', 'Ann ann@example.com', '<@relay.example:ann@example.com>'],
  ])('%s is refused', (text) => expect(readMailboxList(text)).toHaveProperty('fault'));

  // Looking at a blank once more for each one in front of it would take hours.
  test('a million blanks between two words are refused at once', () =>
    expect(readMailboxList(`ann${' '.repeat(1_000_000)}example.com`)).toHaveProperty('fault'));

  test.each([
    ['Ann Example ann@example.com', 'Ann Example <ann@example.com>'],
    ['Ann\t\tann@example.com', 'Ann <ann@example.com>'],
  ])('%j is refused with the form that would be accepted', (text, accepted) =>
    expect(readMailboxList(text)).toEqual({ fault: expect.stringContaining(accepted) }),
  );

  test('a sender is one that every reader reads alike', () => {
    expect(readAuthors('"Example, Inc." <app@example.com>')).toHaveProperty('mailboxes');
    expect(readAuthors('=?utf-8?Q?Caf=C3=A9?= <app@example.com>')).toHaveProperty('mailboxes');
    for (const odd of [
      '=?utf-8?Q?ceo=40bank.example?= <app@example.com>',
      '"ceo@bank.example\\"" <app@example.com>',
      'App (ceo@bank.example) <app@example.com>',
      '"a@b"@example.com',
    ]) {
      expect(readAuthors(odd)).toHaveProperty('fault');
    }
  });
});
