// All the way through: what a client hands in, against what the provider gets.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Stack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { oddMessages } from './odd-messages.ts';
import { handedOut, logIn, messageWith, startRelay, storedBytes, submitted } from './submitting.ts';
import { textLine } from './text-line.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay({ relay: { DELIVERY_MODE: 'deliver', SMTP_ALLOWED_SENDERS: '*' } });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** What the provider has under our queue id, when it has it. */
async function arrived(queueId: string): Promise<Buffer> {
  const isIt = (raw: Buffer) => raw.subarray(0, 1_000).includes(` id ${queueId};`);
  const message = await until(() => stack.provider.messages.find(({ raw }) => isIt(raw)), {
    what: `${queueId} to be with the provider`,
  });
  return message.raw;
}

/** Without our Received field: what the client would recognise. */
const recognisable = (raw: Buffer) =>
  raw.toString('latin1').replace(/^Received: [^\r]*\r\n(?:\t[^\r]*\r\n)*/, '');

test('what is accepted goes out at once, octet for octet as it is stored', async () => {
  await using client = await logIn(stack);
  const body = '.\r\n..\r\nMAIL FROM:<x>\r\n.x\r\n\x01\x7f\x80\xff\r\n';
  const queueId = await submitted(client, messageWith(body));
  const raw = await arrived(queueId);
  expect(raw.equals(await storedBytes(stack, queueId))).toBe(true);
  expect(raw.toString('latin1')).toContain(`\r\n\r\n${body}`);
});

test('every odd message arrives as it was written', async () => {
  await using client = await logIn(stack);
  const submissions: { name: string; sent: string; queueId: string }[] = [];
  for (const [name, message] of oddMessages) {
    const text = message.toString('latin1');
    const sent = text.endsWith('\r\n') ? text : `${text}\r\n`;
    submissions.push({ name, sent, queueId: await submitted(client, message) });
  }
  const changed: string[] = [];
  for (const { name, sent, queueId } of submissions) {
    if (recognisable(await arrived(queueId)) !== sent) changed.push(name);
  }
  expect(changed).toEqual([]);
});

test('a header in UTF-8 is announced to the provider, and not sent to one that does not read it', async () => {
  const { provider } = stack;
  await using client = await logIn(stack);
  const submit = async (parameters: string, body: string) => {
    await client.send(`MAIL FROM:<ann@example.com> ${parameters}`).expect('250 *');
    await client.send('RCPT TO:<bob@example.net>').expect('250 *');
    await client.send('DATA').expect('354 *');
    client.raw(messageWith(body, ['X-Name: \xc3\xa4']));
    const { text } = await client.send('.').expect('250 2.0.0 queued as *');
    return handedOut.exec(text)?.[1] ?? '';
  };
  await arrived(await submit('SMTPUTF8 BODY=8BITMIME', 'announced\r\n'));
  expect(provider.commands().findLast((line) => line.startsWith('MAIL'))).toMatch(/ SMTPUTF8\b/);

  await arrived(await submit('', 'the client did not ask\r\n'));
  expect(provider.commands().findLast((line) => line.startsWith('MAIL'))).not.toMatch(/ SMTPUTF8\b/);

  provider.capabilities.smtpUtf8 = false;
  provider.hangUp();
  const refused = await submit('SMTPUTF8', 'not read there\r\n');
  const recipient = await until(async () => {
    const { rows } = await stack.database.query<{ status: string; reason: string }>(
      `select status, reason from recipient where queue_id = $1 and status not in ('queued', 'sending')`,
      [refused],
    );
    return rows[0];
  });
  expect(recipient).toEqual({ status: 'bounced', reason: 'smtputf8' });
  provider.capabilities.smtpUtf8 = true;
  provider.hangUp();
});

test('whatever the octets, and wherever the stream is cut: the same octets arrive, or the client hears why not', async () => {
  // Mostly what line ends and false ends of data are made of.
  const piece = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom('.', '..', '\r\n', '\r\n.', '\r\n..', '\r\n.\r\n', 'x', ' ', '\xff'),
    },
    { weight: 2, arbitrary: textLine() },
    { weight: 1, arbitrary: fc.constantFrom('\r', '\n', '\0', '\n.\n', '\r.\r', '\n.\r\n', '\r\n.\n') },
  );
  const body = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  const cuts = fc.array(fc.nat(400), { maxLength: 12 });
  const seen = { accepted: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(body, cuts, async (text, cutAt) => {
      const header = `From: ann@example.com\r\nDate: x\r\nMessage-ID: <${crypto.randomUUID()}@example.com>\r\n\r\n`;
      const message = `${header}${text}${`${header}${text}`.endsWith('\r\n') ? '' : '\r\n'}`;
      await using client = await logIn(stack);
      await client.send('MAIL FROM:<ann@example.com> BODY=8BITMIME').expect('250 *');
      await client.send('RCPT TO:<bob@example.net>').expect('250 *');
      await client.send('DATA').expect('354 *');
      const onTheWire = Buffer.from(`${message.replace(/(^|\r\n)\./g, '$1..')}.\r\n`, 'latin1');
      let from = 0;
      for (const cut of [...cutAt, onTheWire.length].toSorted((a, b) => a - b)) {
        client.raw(onTheWire.subarray(from, cut));
        from = Math.min(cut, onTheWire.length);
        await new Promise(setImmediate);
      }
      if (/\0|\r(?!\n)|(?<!\r)\n/.test(message)) {
        seen.refused++;
        await client.expect('554 5.6.0 Line *');
      } else {
        seen.accepted++;
        const { text: reply } = await client.expect('250 2.0.0 queued as *');
        expect(recognisable(await arrived(handedOut.exec(reply)?.[1] ?? ''))).toBe(message);
      }
      // One message, one answer: whatever it held, none of it was taken for a command.
      await client.send('NOOP').expect('250 2.0.0 OK');
    }),
    { numRuns: 80 },
  );
  expect(seen.accepted).toBeGreaterThan(10);
  expect(seen.refused).toBeGreaterThan(10);
}, 60_000);
