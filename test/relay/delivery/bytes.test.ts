// The bytes that arrive at the provider are those that were accepted.
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import { gate, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { countByStatus, environmentFor, openWayOut, queueMail, queueMails, settled } from './way-out.ts';

const header = 'Message-ID: <bytes@test.example>\r\n\r\n';
const everyByte = Buffer.from(
  Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10 && byte !== 13),
);
/** Lines that begin with dots, laid so that every position of a part's end falls on each byte of them. */
const dots = Buffer.from(`.\r\n..\r\n.a\r\n\0.\r\n${'.'.repeat(500)}\r\n`);

for (const [words, body] of [
  ['every byte value', Buffer.concat([everyByte, Buffer.from('\r\n')])],
  ['dots at the beginning of lines', dots],
  ['no line end at the end', Buffer.from('no end')],
  ['nothing but its header', Buffer.alloc(0)],
  ['3 MB with dots at the edges of every part', Buffer.concat(Array.from({ length: 6_000 }, () => dots))],
  [
    '3 MB of eight-bit lines',
    Buffer.concat(
      Array.from({ length: 40_000 }, () =>
        Buffer.concat([Buffer.from(randomBytes(40).map((byte) => byte | 0x80)), Buffer.from('\r\n')]),
      ),
    ),
  ],
] as const) {
  test(`a mail with ${words} arrives as it was accepted`, async () => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    await using _ = await openWayOut(database.url, environmentFor(provider));
    const content = Buffer.concat([Buffer.from(header), body]);
    const { queueId } = await queueMail(database.query, { content });
    await settled(database.query, queueId, ['sent']);
    const received = provider.messages[0]?.raw ?? Buffer.alloc(0);
    // SMTP has no way to send a last line without its end (RFC 5321 §4.1.1.4).
    const expected =
      content.subarray(-2).toString() === '\r\n' ? content : Buffer.concat([content, Buffer.from('\r\n')]);
    expect(received.equals(expected)).toBe(true);
  });
}

test('half a mail never gets its final dot', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const { queueId } = await queueMail(database.query, { content: `${header}${'x\r\n'.repeat(300_000)}` });
  await database.query('delete from message_part where queue_id = $1 and part = 2', [queueId]);
  await using _ = await openWayOut(database.url, environmentFor(provider));
  await settled(database.query, queueId, ['deferred']);
  expect(provider.messages).toHaveLength(0);
});

test('large mails do not keep small ones waiting, and are not read into memory at once', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider({ keepBytes: 1_000 });
  const held = gate();
  provider.on('body', held.reaction, { after: 1_000_000 });
  const large = Buffer.from(`${header}${'A line of a large mail.\r\n'.repeat(800_000)}`);
  await queueMails(
    database.query,
    Array.from({ length: 4 }, () => ({ content: large, priority: 1 })),
  );
  await using _ = await openWayOut(database.url, environmentFor(provider));
  await held.reached;
  const before = process.memoryUsage().rss;
  await queueMails(
    database.query,
    Array.from({ length: 50 }, () => ({})),
  );
  await until(async () => (await countByStatus(database.query)).sent === 50, {
    what: 'the small ones to be sent',
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000);
  held.open();
  await until(async () => (await countByStatus(database.query)).sent === 54, {
    what: 'the large ones to be sent',
    timeoutMs: 25_000,
  });
}, 60_000);
