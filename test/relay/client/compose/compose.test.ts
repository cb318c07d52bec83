import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { expect, test } from 'vitest';
import {
  composeMessage,
  envelopeOf,
  isReservedHeader,
  layOutMessage,
} from '../../../../relay/client/compose/compose.ts';
import type { EmailContent } from '../../../../relay/client/email/email.ts';

const content = (changes: Partial<EmailContent> = {}): EmailContent => ({
  from: { address: 'postern@example.com', name: 'Postern' },
  replyTo: [],
  recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann' }],
  subject: 'Hello',
  text: 'Hello Ann',
  html: null,
  headers: [],
  messageId: '<0190@example.com>',
  dueAt: new Date('2030-02-03T04:05:06Z'),
  ...changes,
});

test('a message carries what the email says, and nobody learns of blind recipients', async () => {
  const email = content({
    replyTo: [{ address: 'help@example.com' }],
    recipients: [
      { kind: 'to', address: 'ann@example.com', name: 'Åberg, Ann "A"' },
      { kind: 'cc', address: 'bob@example.com' },
      { kind: 'bcc', address: 'audit@example.com', name: 'Audit' },
    ],
    subject: 'Grüße 🙂',
    html: '<p>Hello</p>',
    headers: [{ name: 'List-Unsubscribe', value: '<https://example.com/u>' }],
  });
  const bytes = await composeMessage(email, [
    { filename: 'räport.txt', contentType: 'text/plain', content: Buffer.from('Zahlen') },
  ]);

  const parsed = await simpleParser(bytes);
  expect(parsed.from?.value).toEqual([{ address: 'postern@example.com', name: 'Postern' }]);
  expect(parsed.to).toMatchObject({ value: [{ address: 'ann@example.com', name: 'Åberg, Ann "A"' }] });
  expect(parsed.cc).toMatchObject({ value: [{ address: 'bob@example.com' }] });
  expect(parsed.replyTo?.value).toMatchObject([{ address: 'help@example.com' }]);
  expect(parsed.subject).toBe('Grüße 🙂');
  expect(parsed.text).toBe('Hello Ann');
  expect(parsed.html).toBe('<p>Hello</p>');
  expect(parsed.messageId).toBe('<0190@example.com>');
  expect(parsed.date).toEqual(new Date('2030-02-03T04:05:06Z'));
  expect(parsed.attachments[0]).toMatchObject({ filename: 'räport.txt', content: Buffer.from('Zahlen') });
  expect(bytes.toString('latin1')).not.toMatch(/audit|^bcc/im);
  expect(envelopeOf(email)).toEqual({
    from: 'postern@example.com',
    to: ['ann@example.com', 'bob@example.com', 'audit@example.com'],
  });
});

test('an address beyond ASCII is kept as it is (RFC 6532)', async () => {
  const recipients = [{ kind: 'to', address: '用户@example.com' }] as const;
  const bytes = await composeMessage(content({ recipients }));
  expect(bytes.toString()).toContain('To: 用户@example.com\r\n');
});

test('a recipient named twice gets the message once', () => {
  const recipients = [
    { kind: 'to', address: 'ann@example.com' },
    { kind: 'bcc', address: 'ann@example.com' },
  ] as const;
  expect(envelopeOf(content({ recipients }))).toMatchObject({ to: ['ann@example.com'] });
});

test('the same email gives the same bytes', async () => {
  const email = content({ html: '<b>Hello</b>' });
  const attachments = [
    { filename: 'a.bin', contentType: 'application/octet-stream', content: Buffer.from('a') },
  ];
  expect(await composeMessage(email, attachments)).toEqual(await composeMessage(email, attachments));
});

test('whatever the texts hold, lines end in CRLF, stay short and carry the texts', async () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'é', '.', '\r', '\n', ' ', '=', '\t', '--', '🙂', 'x'.repeat(500)),
  });
  await fc.assert(
    fc.asyncProperty(text, text, fc.boolean(), async (plain, html, attached) => {
      const attachment = {
        filename: 'a.bin',
        contentType: 'application/octet-stream',
        content: Buffer.from('a'),
      };
      const bytes = await composeMessage(
        content({ text: `A${plain}Z`, html: `<p>${html}</p>` }),
        attached ? [attachment] : [],
      );
      const lines = bytes.toString('latin1').split('\r\n');
      expect(lines.filter((line) => /[\r\n]/.test(line) || line.length > 998)).toEqual([]);
      const parsed = await simpleParser(bytes);
      expect(parsed.text).toBe(`A${plain}Z`.replace(/\r\n|\r/g, '\n'));
      expect(parsed.html).toBe(`<p>${html}</p>`.replace(/\r\n|\r/g, '\n'));
    }),
    { numRuns: 300 },
  );
});

const longTexts: [string, string][] = [
  ['lines in Latin', 'Grüße an alle \r\n'.repeat(9_000)],
  ['one line', 'x'.repeat(140_000)],
  ['one line in Latin with blanks', 'é '.repeat(70_000)],
  ['another script', '消息🙂\r\n'.repeat(28_000)],
  ['ends of lines of every kind', 'a\r\nb\nc\r\n\n'.repeat(15_000)],
];

test.each(longTexts)('a long text, %s, is encoded in slices and is what it was', async (_, text) => {
  const lines = text.replace(/\r\n|\r|\n/g, '\n');
  for (const html of [null, text]) {
    const email = content({ text, html });
    const { leastBytes, pieces } = layOutMessage(email);
    const all = await Array.fromAsync(pieces());
    expect(Math.max(...all.map(({ length }) => length))).toBeLessThan(700_000);
    const bytes = Buffer.concat(all);
    expect(bytes.length).toBeGreaterThanOrEqual(leastBytes);
    const written = bytes.toString('latin1').split('\r\n');
    expect(written.filter((line) => /[\r\n]/.test(line) || line.length > 76)).toEqual([]);
    const parsed = await simpleParser(bytes);
    // The parser adds the end of the last line where a message consists of nothing else.
    expect(parsed.text?.replace(/\n$/, '')).toBe(lines.replace(/\n$/, ''));
    if (html) expect(parsed.html).toBe(lines);
    expect(await composeMessage(email)).toEqual(bytes);
  }
});

test('a file arrives as it was, however it came in pieces', async () => {
  const file = Buffer.from(Array.from({ length: 400 }, (_, n) => n % 256));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 8 }), async (sizes) => {
      const cuts = sizes.map((_, n) => sizes.slice(0, n + 1).reduce((a, b) => a + b, 0));
      async function* pieces() {
        for (const [n, end] of [...cuts, file.length].entries()) yield file.subarray(cuts[n - 1] ?? 0, end);
      }
      const kind = { filename: 'a.bin', contentType: 'application/octet-stream' };
      const laidOut = layOutMessage(content(), [{ ...kind, size: file.length, pieces }]);
      const bytes = Buffer.concat(await Array.fromAsync(laidOut.pieces()));
      expect(bytes.length).toBe(laidOut.leastBytes);
      expect((await simpleParser(bytes)).attachments[0]?.content).toEqual(file);
      expect(bytes).toEqual(await composeMessage(content(), [{ ...kind, content: file }]));
    }),
  );
});

test('an attached message keeps its lines, also where a piece ends in the middle of an end of line', async () => {
  const message = 'Subject: a\r\n\r\none\ntwo\r\nthree\r\n';
  const kind = { filename: 'a.eml', contentType: 'message/rfc822', size: message.length };
  for (let cut = 0; cut <= message.length; cut++) {
    async function* pieces() {
      yield Buffer.from(message.slice(0, cut));
      yield Buffer.from(message.slice(cut));
    }
    const bytes = Buffer.concat(
      await Array.fromAsync(layOutMessage(content(), [{ ...kind, pieces }]).pieces()),
    );
    expect(bytes.toString('latin1')).toContain('Subject: a\r\n\r\none\r\ntwo\r\nthree\r\n\r\n--');
  }
});

test('texts that look like files or addresses of files stay texts', async () => {
  const parsed = await simpleParser(
    await composeMessage(content({ text: '/etc/passwd', html: '<img src="file:///etc/passwd">' })),
  );
  expect(parsed.text).toBe('/etc/passwd');
  expect(parsed.attachments).toEqual([]);
});

test('a line break in a name or subject cannot add a header field', async () => {
  const bytes = await composeMessage(
    content({
      subject: 'Hello\r\nX-Injected: 1',
      recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann\r\nX-Injected: 2' }],
      headers: [{ name: 'X-Note', value: 'a\r\nX-Injected: 3' }],
    }),
  );
  expect(bytes.toString('latin1')).not.toMatch(/^X-Injected/im);
});

test.each(['Bcc', 'x-postern-email', 'Received', 'Return-Path', 'from', 'Content-Type', 'DKIM-Signature'])(
  'callers may not set %s',
  (name) => expect(isReservedHeader(name)).toBe(true),
);

test.each(['List-Unsubscribe', 'X-Case', 'In-Reply-To', 'Auto-Submitted'])('callers may set %s', (name) =>
  expect(isReservedHeader(name)).toBe(false),
);
