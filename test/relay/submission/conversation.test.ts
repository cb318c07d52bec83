import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority } from '../../kit/certificate.ts';
import type { Stack } from '../../kit/stack.ts';
import { connect } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { countRows, logIn, messageWith, startRelay, submitted } from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay({ relay: { RELAY_MAX_MESSAGE_SIZE: '100000' } });
});
afterAll(() => stack[Symbol.asyncDispose]());

test('EHLO offers what submission needs, and nothing it cannot keep', async () => {
  await using client = await connect(stack.relay.port);
  await client.expect('220 * ESMTP Postern');
  const { lines } = await client.send('EHLO laptop').expect('250 *');
  expect(lines.slice(1).sort()).toEqual([
    '8BITMIME',
    'AUTH PLAIN LOGIN',
    'DSN',
    'ENHANCEDSTATUSCODES',
    'PIPELINING',
    'SIZE 100000',
    'SMTPUTF8',
  ]);
});

test('the greeting comes at once', async () => {
  // Where the server waits for 100 ms first, as the library does, no greeting ever comes sooner.
  await until(
    async () => {
      const began = performance.now();
      await using client = await connect(stack.relay.port);
      await client.expect('220 *');
      return performance.now() - began < 90;
    },
    { what: 'a greeting that comes within 90 ms' },
  );
});

describe('without a login', () => {
  test('nobody sends mail', async () => {
    await using client = await connect(stack.relay.port);
    await client.expect('220 *');
    await client.send('EHLO laptop').expect('250 *');
    await client.send('MAIL FROM:<ann@example.com>').expect('530 5.7.0 *');
    await client.send('RCPT TO:<bob@example.net>').expect('503 5.5.1 *');
    await client.send('DATA').expect('503 5.5.1 *');
  });

  test('AUTH needs EHLO first and a known mechanism', async () => {
    await using client = await connect(stack.relay.port);
    await client.expect('220 *');
    await client.send('AUTH PLAIN AGEAYg==').expect('503 5.5.1 *');
    await client.send('EHLO laptop').expect('250 *');
    await client.send('AUTH CRAM-MD5').expect('504 5.5.4 *');
    await client.send('STARTTLS').expect('454 4.7.0 *RELAY_TLS_CERT_FILE*');
  });
});

test('AUTH LOGIN works as well, and a second login is refused', async () => {
  await using client = await connect(stack.relay.port);
  await client.expect('220 *');
  await client.send('EHLO laptop').expect('250 *');
  const { user, password } = stack.relay;
  await (await client.authLogin(user, password)).expect('235 2.7.0 *');
  await client.authPlain(user, password).expect('503 5.5.1 *');
});

test('a wrong password is told apart from nothing, and the sixth try has to wait', async () => {
  await using client = await connect(stack.relay.port);
  await client.expect('220 *');
  await client.send('EHLO laptop').expect('250 *');
  const wrong = await client.authPlain('stranger', 'wrong').expect('535 5.7.8 *');
  for (let n = 0; n < 4; n++) await client.authPlain('stranger', `wrong ${n}`).expect('535 5.7.8 *');
  await client.authPlain('stranger', 'whatever').expect('454 4.7.0 * try again in * s');
  const known = await client.authPlain(stack.relay.application.user, 'wrong').expect('535 5.7.8 *');
  expect(known.text).toBe(wrong.text);
  await client.authPlain(stack.relay.application.user, stack.relay.application.password).expect('235 *');
});

describe('senders', () => {
  test('that are not allowed are refused at MAIL, with those that are', async () => {
    await using client = await logIn(stack);
    const { text } = await client.send('MAIL FROM:<eve@example.net>').expect('550 5.7.1 *');
    expect(text).toContain('*@example.com');
    await client.send('MAIL FROM:<ann@example.com>').expect('250 2.1.0 *');
  });

  test('that are not allowed are refused in the header From', async () => {
    await using client = await logIn(stack);
    const mail = { sender: 'ann@example.com', recipients: ['bob@example.net'] };
    const message = 'From: eve@example.net\r\n\r\nx\r\n';
    const reply = await (await client.submit({ ...mail, message })).expect('550 5.7.1 *');
    expect(reply.text).toContain('eve@example.net');
    await submitted(client, messageWith('the session goes on\r\n'));
  });

  test('may be the null sender of a bounce, when the header From is allowed', async () => {
    await using client = await logIn(stack);
    await submitted(client, messageWith('bounce\r\n'), ['bob@example.net'], '');
  });
});

describe('addresses', () => {
  test.each([
    ['MAIL FROM:<ann@example.com', '501 5.1.7 *'],
    ['MAIL FROM:ann@example.com', '501 5.1.7 *'],
    ['MAIL FROM:<ann@example.com> SIZE=abc', '501 5.5.4 *'],
    ['MAIL FROM:<ann@example.com> SIZE=100001', '552 5.3.4 *'],
    ['MAIL FROM:<ann@example.com> BODY=BINARYMIME', '501 5.5.4 *'],
    ['MAIL FROM:<änn@example.com>', '553 5.6.7 *'],
    ['RCPT TO:<bob@example.net>', '503 5.5.1 *'],
    ['WHAT', '500 5.5.2 *'],
    ['WIZ', '500 5.5.2 *'],
    ['XCLIENT NAME=x', '500 5.5.2 *'],
    ['VRFY bob', '252 2.1.5 *'],
    ['NOOP', '250 2.0.0 *'],
    ['RSET', '250 2.0.0 *'],
  ])('%s is answered %s', async (line, reply) => {
    await using client = await logIn(stack);
    await client.raw(Buffer.from(`${line}\r\n`, 'utf8')).expect(reply);
  });

  test.each([
    ['<>', '501 5.1.3 *'],
    ['<bob>', '501 5.1.3 *'],
    ['<postmaster>', '553 5.1.3 *'],
    ['<bob@ex ample.net>', '501 5.1.3 *'],
    ['<böb@example.net>', '553 5.6.7 *'],
    ['<bob@bücher.example>', '250 2.1.5 *'],
  ])('RCPT TO:%s is answered %s', async (address, reply) => {
    await using client = await logIn(stack);
    await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
    await client.raw(Buffer.from(`RCPT TO:${address}\r\n`, 'utf8')).expect(reply);
  });

  test('with SMTPUTF8 may be in any script, and so may the header, which the message says', async () => {
    await using client = await logIn(stack);
    await client.send('MAIL FROM:<ann@example.com> SMTPUTF8').expect('250 *');
    await client.raw(Buffer.from('RCPT TO:<böb@bücher.example>\r\nDATA\r\n')).expect('250 *');
    await client.expect('354 *');
    const queueId = (
      await client
        .raw(Buffer.concat([messageWith('x\r\n', ['X-Name: \xc3\xa4']), Buffer.from('.\r\n')]))
        .expect('250 *')
    ).text.slice(-16);
    const { rows } = await stack.database.query(
      'select smtputf8, address from message join recipient using (queue_id) where queue_id = $1',
      [queueId],
    );
    expect(rows).toEqual([{ smtputf8: true, address: 'böb@xn--bcher-kva.example' }]);
  });

  test('more than 1,000 in one message are told to come with the next one', async () => {
    await using client = await logIn(stack);
    await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
    const recipients = Array.from({ length: 1000 }, (_, n) => `RCPT TO:<bob${n}@example.net>\r\n`).join('');
    client.raw(recipients);
    for (let n = 0; n < 1000; n++) await client.expect('250 2.1.5 *');
    await client.send('RCPT TO:<one-more@example.net>').expect('452 4.5.3 *');
    await client.send('DATA').expect('354 *');
    const reply = await client
      .raw(Buffer.concat([messageWith('x\r\n'), Buffer.from('.\r\n')]))
      .expect('250 *');
    expect(await countRows(stack, `recipient where queue_id = '${reply.text.slice(-16)}'`)).toBe(1000);
  });
});

test('a message larger than the limit is refused when it declares its size, and when it does not', async () => {
  await using client = await logIn(stack);
  await client.send('MAIL FROM:<ann@example.com> SIZE=200000').expect('552 5.3.4 *');
  const message = messageWith(`${'x'.repeat(70)}\r\n`.repeat(3_000));
  const reply = await client.submit({ sender: 'ann@example.com', recipients: ['bob@example.net'], message });
  await reply.expect('552 5.3.4 *');
  await submitted(client, messageWith('the session goes on\r\n'));
  expect(
    await countRows(
      stack,
      'message_part p where not exists (select from message m where m.queue_id = p.queue_id)',
    ),
  ).toBe(0);
});

test('commands may be pipelined up to and behind a message', async () => {
  await using client = await logIn(stack);
  const message = messageWith('pipelined\r\n').toString('latin1');
  client.raw(
    'MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n' +
      `${message}.\r\nMAIL FROM:<ann@example.com>\r\nRCPT TO:<eve@example.net>\r\nQUIT\r\n`,
  );
  for (const reply of ['250 2.1.0 *', '250 2.1.5 *', '354 *', '250 2.0.0 queued as *'])
    await client.expect(reply);
  for (const reply of ['250 2.1.0 *', '250 2.1.5 *', '221 2.0.0 *']) await client.expect(reply);
  await client.expectClosed();
});

test('who only makes mistakes is sent away', async () => {
  await using client = await logIn(stack);
  for (let n = 0; n < 29; n++) await client.send('MAIL FROM:<eve@example.net>').expect('550 *');
  await client.send('MAIL FROM:<eve@example.net>').expect('550 *');
  await client.expect('421 4.7.0 *');
  await client.expectClosed();
});

test('a browser that speaks HTTP is sent away', async () => {
  await using client = await connect(stack.relay.port);
  await client.expect('220 *');
  await client.send('POST / HTTP/1.1').expect('421 *');
});

describe('trusted networks', () => {
  test('submit without a login, under the name of the network, and may still log in', async () => {
    await using trusting = await startRelay({ relay: { RELAY_TRUSTED_NETWORKS: '127.0.0.0/8' } });
    await using client = await connect(trusting.relay.port);
    await client.expect('220 *');
    await client.send('EHLO laptop').expect('250 *');
    const queueId = await submitted(client, messageWith('x\r\n'));
    const { rows } = await trusting.database.query('select credential from message where queue_id = $1', [
      queueId,
    ]);
    expect(rows).toEqual([{ credential: '127.0.0.0/8' }]);
    await client.authPlain(trusting.relay.user, trusting.relay.password).expect('235 *');
  });
});

describe('with a certificate', () => {
  test('STARTTLS is offered, and what was said before it is forgotten', async () => {
    const authority = await createAuthority();
    const { cert, key } = await authority.issue();
    await using files = await folderWith({ 'cert.pem': cert, 'key.pem': key });
    await using secured = await startRelay({
      relay: {
        RELAY_TLS_CERT_FILE: join(files.path, 'cert.pem'),
        RELAY_TLS_KEY_FILE: join(files.path, 'key.pem'),
      },
    });
    await using client = await connect(secured.relay.port);
    await client.expect('220 *');
    const { lines } = await client.send('EHLO laptop').expect('250 *');
    expect(lines).toContain('STARTTLS');
    await client.startTls({ ca: authority.cert, servername: 'localhost' });
    await client.send('MAIL FROM:<ann@example.com>').expect('503 *');
    await client.send('EHLO laptop').expect('250 *');
    await client.authPlain(secured.relay.user, secured.relay.password).expect('235 *');
    const queueId = await submitted(client, messageWith('x\r\n'));
    const { rows } = await secured.database.query<{ content: Buffer }>(
      'select content from message_part where queue_id = $1',
      [queueId],
    );
    expect(rows[0]?.content.toString('latin1')).toContain('with ESMTPSA id');
  });
});

test('readiness and heartbeat tell what the relay accepts', async () => {
  const { status } = await fetch(`${stack.relay.healthUrl}/readyz`);
  expect(status).toBe(200);
  const heartbeat = await until(async () => {
    const { rows } = await stack.database.query(`select report from heartbeat where process = 'relay'`);
    return rows[0];
  });
  expect(heartbeat.report).toMatchObject({
    configured: true,
    missing: [],
    delivery_mode: 'capture',
    limits: { max_message_size: 100_000 },
    allowed_senders: ['*@example.com'],
  });
  expect(JSON.stringify(heartbeat.report)).not.toContain(stack.provider.password);
});

async function folderWith(
  files: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'postern-test-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
