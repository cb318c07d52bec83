import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalizeAddress } from '../../../relay/client/address/address.ts';
import { isAllowedSender } from '../../../relay/client/address/allowed-senders.ts';
import { dateTime } from '../../../relay/smtp/date-time.ts';
import { type AdmissionQuestion, admit } from '../../../relay/submission/admission.ts';
import { bodyOf, readHeader } from '../../../relay/submission/header.ts';
import { receivedField } from '../../../relay/submission/received.ts';
import { refuse } from '../../../relay/submission/refusal.ts';
import { textLine } from './text-line.ts';

const now = new Date('2026-01-05T10:00:00Z');

function ask(message: string, wishes: Partial<AdmissionQuestion> = {}) {
  return admit({
    bytes: Buffer.from(message, 'latin1'),
    ended: true,
    allowed: ['*@example.com'],
    mailFrom: 'ann@example.com',
    rewriteTo: undefined,
    mayHandOverEmails: false,
    now,
    ...wishes,
  });
}

const usual = 'From: ann@example.com\r\nDate: x\r\nMessage-ID: <1@example.com>\r\n';
const kept = (message: string) => {
  const admission = ask(message);
  if (!admission || 'code' in admission) throw new Error(JSON.stringify(admission));
  return admission.added + Buffer.concat(admission.kept).toString('latin1');
};

describe('fields', () => {
  test('are found with their folded lines, whatever the case of their names', () => {
    const bytes = Buffer.from('SUBJECT: a\r\n b\r\n\tc\r\nTo : x@example.com\r\n\r\nbody');
    const reading = readHeader(bytes, false);
    if (reading.state !== 'complete') throw new Error(reading.state);
    expect(reading.fields).toMatchObject([{ name: 'subject', start: 0, end: 20 }, { name: 'to' }]);
    expect(reading.fields.map((field) => bodyOf(bytes, field))).toEqual(['a b\tc', 'x@example.com']);
  });

  test('are complete only when the blank line has come or the message has ended', () => {
    expect(readHeader(Buffer.from('A: b\r\n'), false).state).toBe('incomplete');
    expect(readHeader(Buffer.from('A: b\r\n'), true).state).toBe('complete');
    expect(readHeader(Buffer.from('\r\nbody'), false)).toEqual({ state: 'complete', fields: [], length: 0 });
  });

  test.each([
    ['an mbox line', 'From ann Mon Jan 5\r\nA: b\r\n\r\n', 1],
    ['a continuation of nothing', ' folded\r\n\r\n', 1],
    ['a line without colon', 'A: b\r\nhello there\r\n\r\n', 2],
    ['a name with a blank in it', 'A: b\r\nC D: e\r\n\r\n', 2],
  ])('%s is malformed, and its line is named', (_, message, line) => {
    expect(readHeader(Buffer.from(message), true)).toEqual({ state: 'malformed', line });
  });
});

describe('what stays behind', () => {
  test.each([
    ['Bcc', `Bcc: eve@example.net\r\n${usual}\r\nx`, `${usual}\r\nx`],
    ['a folded Bcc', `${usual}bCC: eve@example.net,\r\n\tmallory@example.net\r\n\r\nx`, `${usual}\r\nx`],
    ['two Bcc', `Bcc: a@b.example\r\n${usual}Bcc: c@d.example\r\n\r\nx`, `${usual}\r\nx`],
    ['Resent-Bcc', `resent-BCC : eve@example.net\r\n${usual}\r\nx`, `${usual}\r\nx`],
    ['a folded Resent-Bcc', `Resent-Bcc:\r\n eve@example.net\r\n${usual}\r\nx`, `${usual}\r\nx`],
    ['Return-Path', `Return-Path: <eve@example.net>\r\n${usual}\r\nx`, `${usual}\r\nx`],
    [
      'every X-Postern field',
      `X-Postern-Anything: 1\r\n 2\r\n${usual}x-postern-b:\r\n\r\nx`,
      `${usual}\r\nx`,
    ],
  ])('%s', (_, message, expected) => expect(kept(message)).toBe(expected));

  test('is only the header: a body that speaks of Bcc is not touched', () => {
    expect(kept(`${usual}\r\nBcc: eve@example.net\r\n`)).toBe(`${usual}\r\nBcc: eve@example.net\r\n`);
  });

  test('is nothing else: any other field passes octet for octet', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc
              .stringMatching(/^[!-9;-~]{1,20}$/)
              .filter(
                (name) => !/^((resent-)?(bcc|from|sender)|return-path|x-postern-.*|received)$/i.test(name),
              ),
            fc.array(textLine(), { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\r\n ')),
          ),
        ),
        fc.array(textLine()).map((lines) => lines.map((line) => `${line}\r\n`).join('')),
        (fields, body) => {
          const header = fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
          expect(kept(`${header}${usual}\r\n${body}`)).toBe(`${header}${usual}\r\n${body}`);
        },
      ),
    );
  });
});

describe('what is added', () => {
  test('Message-ID and Date, where they are missing', () => {
    const admission = ask('From: ann@example.com\r\n\r\nx');
    if (!admission || 'code' in admission) throw new Error('refused');
    expect(admission.added).toBe(
      `Message-ID: ${admission.messageId}\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\n`,
    );
    expect(admission.messageId).toMatch(/^<[0-9a-f-]{36}@example\.com>$/);
  });

  test('nothing where they are there', () => expect(ask(`${usual}\r\n`)).toMatchObject({ added: '' }));
});

describe('what is refused', () => {
  const received = 'Received: from a by b; x\r\n';
  test.each([
    ['no From', 'Subject: x\r\n\r\n', 554, '5.6.0'],
    ['no header at all', '\r\nhello', 554, '5.6.0'],
    ['two From fields', `From: ann@example.com\r\n${usual}\r\n`, 554, '5.6.0'],
    ['a From without an address', 'From: Ann\r\n\r\n', 554, '5.6.0'],
    ['a From of somebody else', 'From: eve@example.net\r\n\r\n', 550, '5.7.1'],
    ['one stranger among the authors', 'From: ann@example.com, eve@example.net\r\n\r\n', 550, '5.7.1'],
    [
      'an allowed address as the name of a stranger',
      'From: "ann@example.com" <eve@example.net>\r\n\r\n',
      550,
      '5.7.1',
    ],
    ['26 Received fields', `${received.repeat(26)}${usual}\r\n`, 554, '5.4.6'],
    ['a header without end', `A: ${'x'.repeat(131_072)}\r\n${usual}\r\n`, 554, '5.6.0'],
    ['an email claim from another application', `X-Postern-Email: 1 2\r\n${usual}\r\n`, 550, '5.7.1'],
    ['a blank idempotency key', `X-Postern-Idempotency-Key: \r\n${usual}\r\n`, 554, '5.6.0'],
    ['two idempotency keys', `${'X-Postern-Idempotency-Key: a\r\n'.repeat(2)}${usual}\r\n`, 554, '5.6.0'],
  ])('%s', (_, message, code, enhanced) => expect(ask(message)).toMatchObject({ code, enhanced }));

  test('25 Received fields are still a path and no circle', () => {
    expect(ask(`${received.repeat(25)}${usual}\r\n`)).toHaveProperty('headerFrom', 'ann@example.com');
  });

  test('a header too long is refused before its end has come', () => {
    const bytes = Buffer.from(`A: ${'x'.repeat(131_072)}`);
    expect(ask('', { bytes, ended: false })).toMatchObject({ code: 554 });
    expect(ask('', { bytes: bytes.subarray(0, 1000), ended: false })).toBeUndefined();
  });

  test('a reply and its enhanced code are of one class, or it is a bug', () => {
    expect(() => refuse(450, '5.1.1', 'no')).toThrow();
  });
});

describe('tags and stream', () => {
  const of = (...fields: string[]) => ask(`${fields.map((field) => `${field}\r\n`).join('')}${usual}\r\n`);

  test('are read, and stay behind', () => {
    const fields =
      'X-Postern-Tag: app=shop\r\nx-postern-tag:\r\n order = 47-11\r\nX-Postern-Stream: receipts\r\n';
    expect(ask(`${fields}${usual}\r\n`)).toMatchObject({
      labels: {
        tags: [
          { name: 'app', value: 'shop' },
          { name: 'order', value: '47-11' },
        ],
        stream: 'receipts',
      },
    });
    expect(kept(`${fields}${usual}\r\nx`)).toBe(`${usual}\r\nx`);
    expect(of()).toMatchObject({ labels: { tags: [], stream: undefined } });
    expect(of(...Array.from({ length: 75 }, (_, n) => `X-Postern-Tag: t${n}=x`))).toHaveProperty('labels');
  });

  test.each([
    ['a tag without a value', ['X-Postern-Tag: app'], 'NAME=VALUE'],
    ['a tag with an empty name', ['X-Postern-Tag: =shop'], 'NAME=VALUE'],
    ['two tags in one field', ['X-Postern-Tag: app=shop, order=1'], 'NAME=VALUE'],
    ['a tag with a second sign', ['X-Postern-Tag: app=a=b'], 'NAME=VALUE'],
    ['a tag that is too long', [`X-Postern-Tag: app=${'x'.repeat(257)}`], 'NAME=VALUE'],
    ['a name that comes twice', ['X-Postern-Tag: app=a', 'X-Postern-Tag: app=b'], 'app twice'],
    ['76 tags', Array.from({ length: 76 }, (_, n) => `X-Postern-Tag: t${n}=x`), 'more than 75'],
    ['a stream of two words', ['X-Postern-Stream: a b'], 'X-Postern-Stream'],
    ['an empty stream', ['X-Postern-Stream:'], 'X-Postern-Stream'],
    ['two streams', ['X-Postern-Stream: a', 'X-Postern-Stream: a'], 'X-Postern-Stream'],
  ])('%s is refused', (_, fields, says) => {
    expect(of(...fields)).toMatchObject({
      code: 554,
      enhanced: '5.6.0',
      text: expect.stringContaining(says),
    });
  });
});

describe('an email claim', () => {
  const claim = (value: string) =>
    ask(`X-Postern-Email: ${value}\r\n${usual}\r\n`, { mayHandOverEmails: true });
  const id = '019a0000-0000-7000-8000-000000000001';

  test('is an id and a token in hexadecimal', () => {
    expect(claim(`${id} 00ff`)).toMatchObject({ email: { id, token: Buffer.from([0, 255]) } });
  });
  test.each([
    ['no token', id],
    ['half an octet', `${id} 0ff`],
    ['no id', 'nobody 00ff'],
    ['more', `${id} 00 ff`],
  ])('with %s is refused', (_, value) => expect(claim(value)).toMatchObject({ code: 554 }));
});

describe('allowed senders', () => {
  test.each([
    ['ann@example.com', ['ann@example.com'], true],
    ['Ann@EXAMPLE.com', ['ann@example.com'], true],
    ['ann+tag@example.com', ['ann@example.com'], false],
    ['bob@example.com', ['*@example.com'], true],
    ['bob@sub.example.com', ['*@example.com'], false],
    ['bob@badexample.com', ['*@example.com'], false],
    ['anybody@anywhere.example', ['*'], true],
    ['anybody@anywhere.example', [], false],
    ['eve@example.net@example.com', ['*@example.com'], true],
    ['bob@bücher.example', ['*@xn--bcher-kva.example'], true],
    ['bob@xn--bcher-kva.example', ['bob@bücher.example'], true],
  ])('%s with %j: %s', (address, allowed, expected) =>
    expect(isAllowedSender(address, allowed)).toBe(expected),
  );

  test('domains are kept as A-labels, so that no provider needs SMTPUTF8 for them', () => {
    expect(normalizeAddress('bob@bücher.example')).toBe('bob@xn--bcher-kva.example');
    expect(normalizeAddress('bob@[192.0.2.1]')).toBe('bob@[192.0.2.1]');
  });
});

test('the trace field names who, how, when and the queue id, and lets nobody write their own', () => {
  const field = receivedField({
    helo: 'evil) by trusted; x',
    address: '2001:db8::1',
    by: 'relay-1',
    protocol: 'ESMTPA',
    queueId: '0123456789ABCDEF',
    at: now,
  });
  expect(field).toBe(
    'Received: from evil??by?trusted??x ([IPv6:2001:db8::1])\r\n' +
      '\tby relay-1 (Postern) with ESMTPA id 0123456789ABCDEF;\r\n' +
      '\tMon, 05 Jan 2026 10:00:00 +0000\r\n',
  );
  expect(dateTime(new Date('2026-12-31T23:59:59.999Z'))).toBe('Thu, 31 Dec 2026 23:59:59 +0000');
});
