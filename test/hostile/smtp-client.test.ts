// Attack: a client of the relay, with a login or without one, wants to be the only one who is served.
import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Stack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { logIn, messageWith, startRelay, submitted } from '../relay/submission/submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay();
});
afterAll(() => stack[Symbol.asyncDispose]());

const open: (Socket | AsyncDisposable)[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await (each as AsyncDisposable)[Symbol.asyncDispose]();
});

const patient = { timeoutMs: 60_000 };
const large = messageWith('0123456789\r\n'.repeat(20_000));

test('who begins large messages and does not go on keeps nobody from sending theirs', async () => {
  // More than there is memory for at once.
  const slow = await Promise.all(
    Array.from({ length: 90 }, async () => {
      const client = await logIn(stack, stack.relay.application, patient);
      open.push(client);
      await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
      await client.send('RCPT TO:<bob@example.net>').expect('250 *');
      await client.send('DATA').expect('354 *');
      client.raw(large.subarray(0, 100_000));
      return client;
    }),
  );
  await using honest = await logIn(
    stack,
    { user: stack.relay.user, password: stack.relay.password },
    patient,
  );
  await submitted(honest, large);
  // Who was in the way is told so, and keeps the mail; the others end theirs as if nothing had been.
  const replies = await Promise.all(slow.map((client) => client.raw('\r\n.\r\n').expect('*')));
  const codes = new Set(replies.map(({ text }) => text.slice(0, 9)));
  expect(codes).toEqual(new Set(['250 2.0.0', '451 4.4.2']));
}, 90_000);

test('strangers who take every session end nothing, and leave room for who logs in', async () => {
  await using before = await logIn(stack);
  await hold('127.0.0.2', 400);
  await hold('127.0.0.3', 400);
  await hold('127.0.0.4', 400);
  await untilLoggedIn();
  await submitted(before, messageWith('A session from before.\r\n'));
}, 90_000);

test('neither do those behind one address, such as that of a gateway', async () => {
  await using before = await logIn(stack);
  await hold('127.0.0.1', 600);
  await untilLoggedIn();
  await submitted(before, messageWith('A session from before.\r\n'));
}, 90_000);

/** Sessions that say nothing. */
async function hold(localAddress: string, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connectTcp({ port: stack.relay.port, host: '127.0.0.1', localAddress });
      open.push(socket);
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
    }),
  );
}

/** As clients do, it comes again after a 421. */
const untilLoggedIn = () =>
  until(
    async () => {
      await using client = await logIn(stack);
      await submitted(client, messageWith('Honest.\r\n'));
      return true;
    },
    { timeoutMs: 30_000, what: 'room for somebody who logs in' },
  );
