import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAuthors } from '../../../../relay/client/address/authors.ts';

describe('authors', () => {
  test.each([
    '"ceo@victim.example" <a@example.com>',
    '=?utf-8?Q?M=C3=BCller?= <a@example.com>',
    'a@example.com (Cron Daemon)',
    'a@example.com, b@example.com',
    '=?utf-8?Q?M=C3=BCller_=40_Home?= <a@example.com>',
    // 日本 in ISO-2022-JP: escape sequences around two kanji.
    '=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <a@example.com>',
    '=?utf-8*de?Q?M=C3=BCller?= <a@example.com>',
  ])('%s may speak', (text) => expect(readAuthors(text)).toHaveProperty('mailboxes'));

  test.each([
    'a@example.com (<ceo@victim.example>)',
    '"x\\" <ceo@victim.example> \\"y" <a@example.com>',
    '=?utf-8?B?Y2VvQHZpY3RpbS5leGFtcGxl?= <a@example.com>',
    'ceo=?utf-8?Q?=40?=victim.example <a@example.com>',
    '=?utf-8?Q?ceo=40?= =?utf-8?Q?victim.example?= <a@example.com>',
    '=?utf-7?Q?ceo+AEA-victim?= <a@example.com>',
    ...[
      'unicode-1-1-utf-7',
      'csUnicode11UTF7',
      'utf_7',
      'u7',
      'utf-16be',
      'iso-10646-ucs-2',
      'cp037',
      'ibm500',
    ].map((charset) => `=?${charset}?Q?ceo+AEA-victim?= <a@example.com>`),
    ...['hz-gb-2312', 'iso-2022-kr', 'x-unknown', 'unicode-1-1-utf-7*en'].map(
      (charset) => `=?${charset}?B?Y2Vv?= <a@example.com>`,
    ),
    `=?iso-2022-jp?B?${Buffer.from('ceo@victim.example').toString('base64')}?= <a@example.com>`,
    '=?utf-8?Q?=22?= "ceo@victim.example" <a@example.com>',
    '"ceo@victim.example x"@example.com',
    '=?utf-8?q?x?=@example.com',
  ])('%s is refused', (text) => expect(readAuthors(text)).toHaveProperty('fault'));

  test('no name that a reader decodes first brings in an address', () => {
    const word = fc
      .tuple(fc.constantFrom('ceo@victim.example', '<ceo@victim.example>', '" <x@y.example>'), fc.boolean())
      .map(([text, base64]) =>
        base64
          ? `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`
          : `=?utf-8?Q?${[...Buffer.from(text)].map((octet) => `=${octet.toString(16).padStart(2, '0')}`).join('')}?=`,
      );
    fc.assert(
      fc.property(word, fc.constantFrom('', 'Ann ', '"Ann" '), (encoded, before) => {
        expect(readAuthors(`${before}${encoded} <a@example.com>`)).toHaveProperty('fault');
      }),
    );
  });
});
