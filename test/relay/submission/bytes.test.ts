import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Stack } from '../../kit/stack.ts';
import type { Transcript } from '../../kit/transcript.ts';
import { oddMessages } from './odd-messages.ts';
import { countRows, logIn, messageWith, relayedBytes, startRelay, submitted } from './submitting.ts';
import { textLine } from './text-line.ts';

let stack: Stack;
let client: Transcript;
beforeAll(async () => {
  stack = await startRelay();
  client = await logIn(stack);
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

const mail = { sender: 'ann@example.com', recipients: ['bob@example.net'] };

/** Sends MAIL, RCPT and DATA, and then exactly these octets, cut into pieces of this size. */
async function dataOf(octets: Buffer, pieceBytes?: number) {
  await client.send('MAIL FROM:<ann@example.com> BODY=8BITMIME').expect('250 *');
  await client.send('RCPT TO:<bob@example.net>').expect('250 *');
  await client.send('DATA').expect('354 *');
  return pieceBytes === undefined ? client.raw(octets) : client.trickle(octets, pieceBytes);
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');

describe('what came in is what goes out', () => {
  test.each(oddMessages)('%s', async (_, message) => {
    const queueId = await submitted(client, message);
    const sent = message.toString('latin1');
    const expected = sent.endsWith('\r\n') ? sent : `${sent}\r\n`;
    // Not toBe: nobody wants to see 300 KB of difference.
    expect((await relayedBytes(stack, queueId)) === expected).toBe(true);
    const { rows } = await stack.database.query<{ largest: number }>(
      'select max(length(content))::int as largest from message_part where queue_id = $1',
      [queueId],
    );
    expect(rows[0]?.largest).toBeLessThanOrEqual(262_144);
  });

  test('whatever the lines are, and wherever the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(textLine(), { maxLength: 6 }),
        fc.integer({ min: 1, max: 40 }),
        async (lines, size) => {
          const body = lines.map((line) => `${line}\r\n`).join('');
          const header = `From: ann@example.com\r\nDate: x\r\nMessage-ID: <${crypto.randomUUID()}@example.com>\r\n\r\n`;
          const stuffed = `${header}${body}`.replace(/(^|\r\n)\./g, '$1..');
          const reply = await (await dataOf(latin1(`${stuffed}.\r\n`), size)).expect('250 *');
          expect(await relayedBytes(stack, reply.text.slice(-16))).toBe(`${header}${body}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('dots and line ends cut at every single octet', async () => {
    const header = 'From: ann@example.com\r\nDate: x\r\n';
    const stuffed = '\r\n..\r\n...\r\n\r\n..x\r\n.\r\n';
    for (let cut = 1; cut < stuffed.length; cut++) {
      const id = `Message-ID: <cut-${cut}@example.com>\r\n`;
      await dataOf(latin1(`${header}${id}${stuffed.slice(0, cut)}`));
      await new Promise(setImmediate);
      const reply = await client.raw(stuffed.slice(cut)).expect('250 *');
      expect(await relayedBytes(stack, reply.text.slice(-16))).toBe(
        `${header}${id}\r\n.\r\n..\r\n\r\n.x\r\n`,
      );
    }
  });
});

describe('fields that stay behind or are added', () => {
  test('leave all others where they were', async () => {
    const message = messageWith('x\r\n', [
      'Bcc: eve@example.net,\r\n mallory@example.net',
      'X-After: 1',
      'X-Postern-Foo: 2',
    ]);
    const queueId = await submitted(client, message);
    expect(await relayedBytes(stack, queueId)).toBe(messageWith('x\r\n', ['X-After: 1']).toString('latin1'));
  });

  test('Date and Message-ID come in front, and the row knows the new id', async () => {
    const queueId = await submitted(client, 'From: ann@example.com\r\n\r\nadded\r\n');
    const relayed = await relayedBytes(stack, queueId);
    const { rows } = await stack.database.query<{ message_id: string }>(
      'select message_id from message where queue_id = $1',
      [queueId],
    );
    expect(relayed).toMatch(
      /^Message-ID: <[^>]+@example\.com>\r\nDate: [^\r]+ \+0000\r\nFrom: ann@example\.com\r\n\r\nadded\r\n$/,
    );
    expect(relayed).toContain(`Message-ID: ${rows[0]?.message_id}\r\n`);
  });

  test('are removed and added in a message of many parts as well', async () => {
    const body = '0123456789\r\n'.repeat(30_000);
    const message = `Bcc: eve@example.net\r\nFrom: ann@example.com\r\nDate: x\r\nX-Postern-A: b\r\nSubject: y\r\n\r\n${body}`;
    const relayed = await relayedBytes(stack, await submitted(client, message));
    expect(relayed.replace(/^Message-ID: [^\r]+\r\n/, '')).toBe(
      `From: ann@example.com\r\nDate: x\r\nSubject: y\r\n\r\n${body}`,
    );
  });
});

describe('smuggling', () => {
  const smuggled =
    'MAIL FROM:<ann@example.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nFrom: ann@example.com\r\n\r\nsmuggled\r\n';
  test.each([
    ['LF . LF', '\n.\n'],
    ['LF . CRLF', '\n.\r\n'],
    ['CRLF . LF', '\r\n.\n'],
    ['CRLF . CR', '\r\n.\r'],
    ['CR . CR', '\r.\r'],
    ['CR . CRLF', '\r.\r\n'],
    ['CRLF NUL . CRLF', '\r\n\0.\r\n'],
    ['CRLF . NUL CRLF', '\r\n.\0\r\n'],
    ['CR CRLF . CRLF', '\r\r\n.\r\r\n'],
    ['LF .. LF, which a careless reader un-stuffs', '\n..\n'],
  ])('by %s is refused, and nothing of it is kept', async (_, falseEnd) => {
    const before = await countRows(stack, 'message');
    const message = messageWith(`innocent${falseEnd}`).toString('latin1');
    const reply = await dataOf(latin1(`${message}${smuggled}.\r\n`));
    await reply.expect('554 5.6.0 *');
    // One message was spoken of, one answer came: the next command is ours.
    await client.send('NOOP').expect('250 2.0.0 OK');
    expect(await countRows(stack, 'message')).toBe(before);
  });

  test('a real second transaction in the same packet is a second message', async () => {
    const before = await countRows(stack, 'message');
    const reply = await dataOf(
      latin1(`${messageWith('first of two\r\n').toString('latin1')}.\r\n${smuggled}.\r\n`),
    );
    await reply.expect('250 2.0.0 *');
    for (const next of ['250 2.1.0 *', '250 2.1.5 *', '354 *', '250 2.0.0 *']) await client.expect(next);
    expect(await countRows(stack, 'message')).toBe(before + 2);
  });
});

describe('a message that cannot pass is refused with a reason', () => {
  test.each([
    [
      'a bare LF far behind the first part',
      messageWith(`${'0123456789\r\n'.repeat(40_000)}bare\n`),
      'Line 40007 ends in a bare LF',
    ],
    ['a NUL', messageWith('a\0b\r\n'), 'holds a NUL'],
    ['a line longer than 64 KB', messageWith(`${'x'.repeat(70_000)}\r\n`), 'longer than 65536'],
    ['no header', latin1('hello\r\n'), 'Line 1 is not a header field'],
    [
      'a body where the header should end',
      latin1('From: ann@example.com\r\nhello\r\n\r\n'),
      'Line 2 is not a header field',
    ],
    [
      'a header of 200 KB',
      messageWith(
        '',
        Array.from({ length: 2_000 }, () => `X: ${'y'.repeat(100)}`),
      ),
      'longer than 131072',
    ],
    ['26 hops', messageWith('', Array(26).fill('Received: from a by b; x')), 'this mail loops'],
  ])('%s', async (_, message, reason) => {
    const reply = await (await client.submit({ ...mail, message })).expect('554 5.*');
    expect(reply.text).toContain(reason);
    expect(
      await countRows(
        stack,
        'message_part p where not exists (select from message m where m.queue_id = p.queue_id)',
      ),
    ).toBe(0);
  });
});
