// Addresses in MAIL and RCPT: every mailbox of RFC 5321 and the dot forms in use arrive at the provider as they came.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPath } from '../../../relay/submission/path.ts';
import type { Stack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { logIn, startRelay, submitted } from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay({ relay: { DELIVERY_MODE: 'deliver' } });
});
afterAll(() => stack?.[Symbol.asyncDispose]());

const message = (id: string) =>
  `From: ann@example.com\r\nDate: x\r\nMessage-ID: <${id}@example.com>\r\n\r\nx\r\n`;

const mailboxes = [
  'ilo.@example.com',
  '.ilo@example.com',
  'a..b@example.com',
  'a...b.@example.com',
  '"odd user"@example.com',
  '"a@b"@example.com',
  '"a..b"@example.com',
  '".a."@example.com',
  '"a\\"b"@example.com',
  '"a\\\\b"@example.com',
  '"a,b;c:d"@example.com',
  '""@example.com',
  "o'brien+tag=x@example.com",
  '!#$%&*/?^_`{|}~@example.com',
  'Ann.LOUD@Example.COM',
  `${'x'.repeat(120)}@example.com`,
  'ann@xn--bcher-kva.example.com',
];

describe('what came is what the provider hears', () => {
  test.each(mailboxes.map((address, n) => [address, n] as const))('RCPT TO:<%s>', async (address, n) => {
    await using client = await logIn(stack);
    await submitted(client, message(`rcpt-${n}`), [address]);
    const { envelope } = await until(() => stack.provider.copiesOf(`rcpt-${n}@example.com`)[0], {
      what: `the mail to ${address}`,
    });
    expect(envelope.recipients).toEqual([address]);
  });

  test.each(
    mailboxes.filter((address) => /@example\.com$/i.test(address)).map((address, n) => [address, n] as const),
  )('MAIL FROM:<%s>', async (address, n) => {
    await using client = await logIn(stack);
    await submitted(client, message(`mail-${n}`), ['bob@example.net'], address);
    const { envelope } = await until(() => stack.provider.copiesOf(`mail-${n}@example.com`)[0], {
      what: `the mail of ${address}`,
    });
    expect(envelope.sender).toBe(address);
  });

  test.each([
    ['bob@[192.0.2.1]', 'bob@[192.0.2.1]'],
    ['bob@[IPv6:2001:DB8::1]', 'bob@[IPv6:2001:DB8::1]'],
    ['@one.example,@two.example:bob@example.net', 'bob@example.net'],
    ['@one.example:"odd @ user"@example.net', '"odd @ user"@example.net'],
  ])('RCPT TO:<%s> is sent to %s', async (given, address) => {
    const id = `literal-${Buffer.from(given).toString('hex')}`;
    await using client = await logIn(stack);
    await submitted(client, message(id), [given]);
    const { envelope } = await until(() => stack.provider.copiesOf(`${id}@example.com`)[0], {
      what: `the mail to ${address}`,
    });
    expect(envelope.recipients).toEqual([address]);
  });
});

describe('what is no address is refused with the reason', () => {
  test.each([
    ['<mailto:bob@example.net>', '501 5.1.3 *mailto:*; bob@example.net would be accepted'],
    ['<odd user@example.net>', '501 5.1.3 *"odd user"@example.net would be accepted'],
    ['<a@b@example.net>', '501 5.1.3 *"a@b"@example.net would be accepted'],
    ['<@example.net>', '501 5.1.3 *nothing before the @'],
    ['<bob@>', '501 5.1.3 *nothing after the @'],
    ['<bob>', '501 5.1.3 *has no @*'],
    ['<>', '501 5.1.3 *is empty*'],
    ['<...@example.net>', '501 5.1.3 *nothing but dots*'],
    ['<bob@example..net>', '501 5.1.3 *a dot too many'],
    ['<bob@[192.0.2.999]>', '501 5.1.3 *address literal*'],
    ['<"bob@example.net>', '501 5.1.3 *not closed*'],
    ['<"bob"x@example.net>', '501 5.1.3 *between its quoted local part and the @'],
    ['bob@example.net', '501 5.1.3 *angle brackets*'],
    ['<bob@example.net', '501 5.1.3 *angle brackets*'],
    ['<bob@example.net> WHAT=1', '555 5.5.4 *'],
  ])('RCPT TO:%s', async (path, reply) => {
    await using client = await logIn(stack);
    await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
    await client.send(`RCPT TO:${path}`).expect(reply);
    await client.send('RCPT TO:<bob@example.net>').expect('250 *');
  });

  test.each([
    ['<mailto:ann@example.com>', '501 5.1.7 *; ann@example.com would be accepted'],
    ['<odd user@example.com> SIZE=10', '501 5.1.7 *"odd user"@example.com would be accepted'],
    ['<> SIZE=10', '250 *'],
    [' <"odd user"@example.com> SIZE=10 BODY=8BITMIME', '250 *'],
    ['<"eve"@example.net>', '550 5.7.1 *'],
  ])('MAIL FROM:%s', async (path, reply) => {
    await using client = await logIn(stack);
    await client.send(`MAIL FROM:${path}`).expect(reply);
  });
});

test('a quoted local part with < or > is refused as a whole, because it could not be passed on', () => {
  expect(readPath('RCPT TO:<"a>b"@example.net> NOTIFY=NEVER', 'RCPT TO')).toEqual({
    fault: '<"a>b"@example.net> has < or > in its quoted local part, which cannot be passed on',
  });
});
