// Commands out of order, out of shape or out of measure: each has its reply (RFC 5321 section 4.3.2), and the session
// goes on as if it had not been said, or ends.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority } from '../../kit/certificate.ts';
import type { Stack } from '../../kit/stack.ts';
import { connect } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { countRows, logIn, messageWith, startRelay, submitted } from './submitting.ts';

let directory: string;
let stack: Stack;
let ca: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-order-'));
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  ca = authority.cert;
  await writeFile(join(directory, 'cert.pem'), cert);
  await writeFile(join(directory, 'key.pem'), key);
  stack = await startRelay({
    relay: {
      RELAY_TLS_CERT_FILE: join(directory, 'cert.pem'),
      RELAY_TLS_KEY_FILE: join(directory, 'key.pem'),
    },
  });
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const mail = 'MAIL FROM:<ann@example.com>';
const recipient = 'RCPT TO:<bob@example.net>';

describe('in a session that is logged in', () => {
  test.each<[string, readonly (readonly [string, string])[]]>([
    ['DATA before MAIL', [['DATA', '503 5.5.1 *']]],
    [
      'DATA before RCPT',
      [
        [mail, '250 *'],
        ['DATA', '503 5.5.1 *'],
        [recipient, '250 *'],
      ],
    ],
    [
      'a second MAIL',
      [
        [mail, '250 *'],
        [mail, '503 5.5.1 *'],
        [recipient, '250 *'],
      ],
    ],
    [
      'RCPT after RSET',
      [
        [mail, '250 *'],
        ['RSET', '250 2.0.0 *'],
        [recipient, '503 5.5.1 *'],
      ],
    ],
    [
      'RCPT after another EHLO',
      [
        [mail, '250 *'],
        ['EHLO again', '250 *'],
        [recipient, '503 5.5.1 *'],
      ],
    ],
    [
      'AUTH in the middle',
      [
        [mail, '250 *'],
        ['AUTH PLAIN AGEAYg==', '503 5.5.1 *'],
        [recipient, '250 *'],
      ],
    ],
    ['EHLO without a name', [['EHLO', '501 *']]],
    [
      'commands in lower case',
      [
        ['mail from:<ann@example.com>', '250 *'],
        ['rcpt to:<bob@example.net>', '250 *'],
      ],
    ],
    ['BDAT, which is not offered', [['BDAT 10 LAST', '500 5.5.2 *']]],
    [
      'TURN, EXPN and HELP',
      [
        ['TURN', '5*'],
        ['EXPN all', '5*'],
        ['HELP', '214 2.0.0 *'],
      ],
    ],
    ['a parameter nobody knows', [[`${mail} WHAT=ever`, '555 5.5.4 *']]],
    [
      'a parameter of RCPT',
      [
        [mail, '250 *'],
        [`${recipient} WHAT=ever`, '555 5.5.4 *'],
      ],
    ],
  ])('%s', async (_, conversation) => {
    await using client = await logIn(stack);
    for (const [command, reply] of conversation) await client.send(command).expect(reply);
    await client.send('RSET').expect('250 2.0.0 *');
    await submitted(client, messageWith(`behind ${conversation[0]?.[0]}\r\n`));
  });
});

test('a login that is broken off or makes no sense is answered, and the next one counts', async () => {
  await using client = await connect(stack.relay.port);
  await client.expect('220 *');
  await client.send('EHLO laptop').expect('250 *');
  await client.send('AUTH PLAIN').expect('334 *');
  await client.send('*').expect('501 5.5.4 *');
  await client.send('AUTH PLAIN ====').expect('501 5.5.4 *');
  await client.send('AUTH LOGIN').expect('334 *');
  await client.send('').expect('501 5.5.4 *');
  await client.send('AUTH XOAUTH2 AGEAYg==').expect('504 5.5.4 *');
  const { user, password } = stack.relay.application;
  await client.authPlain(user, password).expect('235 *');
});

test('what somebody slipped in behind STARTTLS is never answered inside TLS (RFC 3207 section 4.2)', async () => {
  const plain = connectTcp({ port: stack.relay.port, host: '127.0.0.1' });
  let heard = '';
  plain.on('data', (chunk) => {
    heard += chunk;
  });
  await until(() => heard.startsWith('220 '));
  plain.write('EHLO laptop\r\n');
  await until(() => /\r\n250 .*\r\n$/.test(heard));
  plain.write('STARTTLS\r\nRSET\r\nNOOP\r\n');
  await until(() => heard.includes('220 2.0.0 Ready to start TLS\r\n'));
  plain.removeAllListeners('data');
  const secured = connectTls({ socket: plain, ca, servername: 'localhost' });
  secured.write('QUIT\r\n');
  expect(await text(secured)).toBe('221 2.0.0 Bye\r\n');
  expect(heard).toMatch(/Ready to start TLS\r\n$/);
});

test('a command line without end is not gathered', async () => {
  await using client = await logIn(stack);
  client.raw('x'.repeat(20_000));
  await client.expect('421 4.4.2 *too long');
  await client.expectClosed();
});

test('a client that only asks for the time of day is sent away', async () => {
  await using client = await logIn(stack);
  client.raw('NOOP\r\n'.repeat(5_000));
  let reply = await client.expect('*');
  while (reply.code === 250) reply = await client.expect('*');
  expect(reply.text).toBe('421 4.7.0 Too many commands without a message');
  await client.expectClosed();
});

test('more sessions of one client than it needs are refused, and each one that ends makes room', async () => {
  const before = await countRows(stack, 'message');
  // Those of the tests before count until the relay has noticed that they ended.
  await until(
    async () => {
      const answer = await fetch(`${stack.relay.healthUrl}/readyz?verbose`);
      return ((await answer.json()) as { sessions: number }).sessions === 0;
    },
    { what: 'all sessions to have ended' },
  );
  const clients = await Promise.all(Array.from({ length: 500 }, () => connect(stack.relay.port)));
  try {
    for (const client of clients) await client.expect('220 *');
    await using late = await connect(stack.relay.port);
    await late.expect('421 4.7.0 Too many sessions from 127.0.0.1');
    await late.expectClosed();
    await clients.pop()?.[Symbol.asyncDispose]();
    await until(
      async () => {
        await using again = await connect(stack.relay.port);
        return (await again.expect('*')).code === 220;
      },
      { what: 'room for one more' },
    );
  } finally {
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
  expect(await countRows(stack, 'message')).toBe(before);
}, 30_000);
