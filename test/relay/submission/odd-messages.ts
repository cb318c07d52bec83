// Messages that are legal, or legal enough: no client writes them all, and every one has been seen. What every hop of
// ours must hand on octet for octet.
import { messageWith } from './submitting.ts';

/** Each level is the only part of the one around it. */
const multipart = (levels: number): string =>
  levels === 0
    ? 'Content-Type: text/plain\r\n\r\ninnermost\r\n'
    : `Content-Type: multipart/mixed; boundary="b${levels}"\r\n\r\n--b${levels}\r\n${multipart(levels - 1)}--b${levels}--\r\n`;

const latin1 = (text: string) => Buffer.from(text, 'latin1');

export const oddMessages: readonly (readonly [name: string, message: Buffer])[] = [
  ['an empty body', messageWith('')],
  [
    'a header without the blank line',
    latin1('From: ann@example.com\r\nDate: x\r\nMessage-ID: <e1@example.com>\r\n'),
  ],
  ['blank lines only', messageWith('\r\n\r\n\r\n')],
  ['dots at every place', messageWith('.\r\n..\r\n...\r\n.a\r\na.\r\n. \r\n.\t\r\n.\r\n')],
  ['a dot as the first octet of the body', messageWith('.')],
  ['commands in the body', messageWith('QUIT\r\nRSET\r\nMAIL FROM:<x@example.com>\r\n')],
  [
    'every octet but NUL, CR and LF',
    messageWith(
      `${String.fromCharCode(...Array.from({ length: 255 }, (_, n) => n + 1).filter((n) => n !== 10 && n !== 13))}\r\n`,
    ),
  ],
  [
    'lines of 998, 999 and 1,000 octets',
    messageWith([998, 999, 1_000].map((n) => `${'x'.repeat(n)}\r\n`).join('')),
  ],
  ['a field in one line of 5,000 octets', messageWith('x\r\n', [`X-Long: ${'y '.repeat(2_500)}`])],
  ['a line of 5,000 octets', messageWith(`${'x'.repeat(5_000)}\r\n`)],
  ['a line of 65,536 octets', messageWith(`${'x'.repeat(65_536)}\r\n`)],
  ['octets above 127 in the header', messageWith('x\r\n', ['X-Name: \xc3\xa4\xf6'])],
  ['a field of 60,000 octets', messageWith('x\r\n', [`X-Long: ${'y'.repeat(60_000)}`])],
  [
    '2,000 fields',
    messageWith(
      'x\r\n',
      Array.from({ length: 2_000 }, (_, n) => `X-${n}: ${n}`),
    ),
  ],
  [
    'fields folded with blanks only',
    messageWith('x\r\n', ['X-Folded: a\r\n \r\n\tb', 'X-Empty:', 'X-Colons:::']),
  ],
  ['100 levels of multipart', messageWith('', ['MIME-Version: 1.0', multipart(100)])],
  ['a multipart that never ends', messageWith('--b\r\n\r\nx', ['Content-Type: multipart/mixed; boundary=b'])],
  [
    'two of what MIME has once, and a type that is none',
    messageWith('x\r\n', [
      'MIME-Version: 1.0',
      'MIME-Version: 2.0 (or so)',
      'Content-Type: text/plain; charset="',
      'Content-Type: ;;;=',
      'Content-Transfer-Encoding: rot13',
    ]),
  ],
  [
    'boundaries that are dots, or nothing',
    messageWith('--.\r\n\r\n.\r\n--.--\r\n--\r\n----\r\n', ['Content-Type: multipart/mixed; boundary="."']),
  ],
  [
    'broken encodings',
    messageWith('=ZZ=\r\n', ['Subject: =?utf-8?B?%%%?=', 'Content-Transfer-Encoding: base64']),
  ],
  ['trailing blanks', messageWith('a  \r\nb\t\r\n \r\n')],
  ['300 KB, in more than one part', messageWith('0123456789 \xe4\r\n'.repeat(23_000))],
  ['exactly one part more or less', messageWith(`${'x'.repeat(1022)}\r\n`.repeat(256))],
];
