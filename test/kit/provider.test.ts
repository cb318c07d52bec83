import { createHash, randomBytes } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { readRelayEnvironment } from '../../deploy/environment.ts';
import {
  acceptThen,
  delay,
  drop,
  gate,
  type Provider,
  partial,
  reset,
  stall,
  startProvider,
} from './provider.ts';
import { connect, type Transcript } from './transcript.ts';
import { until } from './until.ts';

const mail = {
  from: 'mailer@example.com',
  to: 'ann@example.com',
  subject: 'Welcome',
  messageId: '<1@example.com>',
  text: 'Hello Ann\n.\nThat dot was alone on its line.',
};

const transport = (provider: Provider, mode: 'implicit' | 'starttls', password = provider.password) =>
  createTransport({
    host: provider.host,
    port: mode === 'implicit' ? provider.implicitPort : provider.starttlsPort,
    secure: mode === 'implicit',
    requireTLS: mode === 'starttls',
    auth: { user: provider.user, pass: password },
    tls: { ca: provider.ca },
  });

/** A signed-in session on the implicit port. */
async function session(provider: Provider): Promise<Transcript> {
  const client = await connect(provider.implicitPort, { tls: { ca: provider.ca } });
  await client.expect('220 *');
  await client.send('EHLO laptop').expect('250 *');
  await client.authPlain(provider.user, provider.password).expect('235 *');
  return client;
}

const letter = {
  sender: 'mailer@example.com',
  recipients: ['ann@example.com'],
  message: 'Message-ID: <1@example.com>\r\n\r\nHello\r\n',
};

test.each(['implicit', 'starttls'] as const)('nodemailer sends over %s TLS with AUTH', async (mode) => {
  await using provider = await startProvider();
  const sent = await transport(provider, mode).sendMail(mail);

  const [message, ...more] = provider.copiesOf('1@example.com');
  expect(more).toEqual([]);
  expect(message).toMatchObject({
    envelope: { sender: 'mailer@example.com', recipients: ['ann@example.com'] },
    authUser: 'mailer@example.com',
    tls: true,
    mode,
  });
  expect(sent.response).toBe(`250 2.0.0 Ok: queued as ${message?.queueId}`);
  expect(message?.raw.toString()).toContain('\r\nHello Ann\r\n.\r\nThat dot was alone on its line.');
  expect(provider.connections[0]?.tls?.version).toBe('TLSv1.3');
  expect(provider.authAttempts).toMatchObject([{ tls: true, accepted: true, mechanism: 'PLAIN' }]);
  await until(() => provider.connections[0]?.closedAt);
});

test('a rotated password is refused until the client knows the new one', async () => {
  await using provider = await startProvider();
  provider.users.set(provider.user, 'rotated');
  await expect(transport(provider, 'implicit').sendMail(mail)).rejects.toThrow('535 5.7.8');
  await transport(provider, 'implicit', 'rotated').sendMail(mail);
  expect(provider.authAttempts.map(({ accepted }) => accepted)).toEqual([false, true]);
  expect(provider.messages).toHaveLength(1);
});

test('every byte of a message arrives, in whatever pieces', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  const message = Buffer.concat([
    Buffer.from('Subject: bytes\r\n\r\n..\r\n.x\r\n\r\n.\n.\r.\r \r\n.'),
    Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
    Buffer.from('\r\n'),
  ]);
  await client.send('MAIL FROM:<mailer@example.com>').expect('250 *');
  await client.send('RCPT TO:<ann@example.com>').expect('250 *');
  for (const pieceBytes of [1, 2, 3, 7, 1000]) {
    if (pieceBytes > 1) {
      await client.send('MAIL FROM:<mailer@example.com>').expect('250 *');
      await client.send('RCPT TO:<ann@example.com>').expect('250 *');
    }
    await client.send('DATA').expect('354 *');
    const stuffed = message.toString('latin1').replace(/(^|\r\n)\./g, '$1..');
    const answer = await client.trickle(Buffer.from(`${stuffed}.\r\n`, 'latin1'), pieceBytes);
    await answer.expect('250 2.0.0 Ok: queued as *');
    expect(provider.messages.at(-1)?.raw).toEqual(message);
  }
});

test('a large message is digested whole and remembered in part', async () => {
  await using provider = await startProvider({ keepBytes: 100 });
  await using client = await session(provider);
  const body = `${randomBytes(3_000_000).toString('base64')}\r\n`;
  await (await client.submit({ ...letter, message: body })).expect('250 *');
  expect(provider.messages).toMatchObject([
    { size: body.length, sha256: createHash('sha256').update(body).digest('hex') },
  ]);
  expect(provider.messages[0]?.raw).toHaveLength(100);
});

test('commands may be pipelined', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  client.raw('MAIL FROM:<mailer@example.com>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n');
  await client.expect('250 2.1.0 *');
  await client.expect('250 2.1.5 *');
  await client.expect('354 *');
  client.raw('one\r\n.\r\nNOOP\r\n');
  await client.expect('250 2.0.0 Ok: queued as *');
  await client.expect('250 2.0.0 Ok');
  expect(provider.messages.map(({ raw }) => raw.toString())).toEqual(['one\r\n']);
});

test('before TLS it offers no AUTH and takes no mail', async () => {
  await using provider = await startProvider();
  await using client = await connect(provider.starttlsPort);
  await client.expect('220 *');
  const { lines } = await client.send('EHLO laptop').expect('250 STARTTLS');
  expect(lines.filter((line) => line.startsWith('AUTH'))).toEqual([]);
  await client.send('MAIL FROM:<mailer@example.com>').expect('530 5.7.0 *STARTTLS*');
  client.raw('STARTTLS\r\nRCPT TO:<injected@example.com>\r\n');
  await client.expect('220 *');
  expect(provider.authAttempts).toEqual([]);
  expect(provider.connections[0]?.injected).toBe('RCPT TO:<injected@example.com>\r\n');
});

test('a stripped STARTTLS leads the careless into signing in without TLS', async () => {
  await using provider = await startProvider({ capabilities: { startTls: false, authBeforeTls: ['PLAIN'] } });
  await using client = await connect(provider.starttlsPort);
  await client.expect('220 *');
  await client.send('EHLO laptop').expect('250 AUTH PLAIN');
  await client.authPlain(provider.user, provider.password).expect('235 *');
  expect(provider.authAttempts).toMatchObject([{ tls: false, accepted: true }]);
});

test('AUTH LOGIN works as well', async () => {
  await using provider = await startProvider();
  await using client = await connect(provider.starttlsPort);
  await client.expect('220 *');
  await client.send('EHLO laptop').expect('250 *');
  await client.startTls({ ca: provider.ca });
  await client.send('EHLO laptop').expect('250 AUTH PLAIN LOGIN');
  await (await client.authLogin(provider.user, 'wrong')).expect('535 *');
  await (await client.authLogin(provider.user, provider.password)).expect('235 *');
});

test('a certificate for another name, out of date or of unknown origin is refused by the client', async () => {
  await using provider = await startProvider({ certificate: { names: ['mail.example.net'] } });
  const attempt = () => transport(provider, 'implicit').sendMail(mail);
  await expect(attempt()).rejects.toThrow("does not match certificate's altnames");
  await provider.present({ notAfter: new Date(Date.now() - 1000) });
  await expect(attempt()).rejects.toThrow('certificate has expired');
  await provider.present({ selfSigned: true });
  await expect(attempt()).rejects.toThrow('self-signed certificate');
  await provider.present({});
  await attempt();
  expect(provider.messages).toHaveLength(1);
});

test('rules answer in order, as often as they are told, where they are told', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  provider.on('mail', '451 4.3.0 first', { times: 1 });
  const second = provider.on('mail', '451 4.3.0 second', { times: 2 });
  provider.on('rcpt', '550 5.1.1 no such user', { when: ({ recipient }) => recipient === 'bob@example.com' });
  provider.on('rcpt', '452 4.2.2 full', { mode: 'starttls' });
  await client.send('MAIL FROM:<mailer@example.com>').expect('451 4.3.0 first');
  await client.send('MAIL FROM:<mailer@example.com>').expect('451 4.3.0 second');
  await client.send('MAIL FROM:<mailer@example.com>').expect('451 4.3.0 second');
  await client.send('MAIL FROM:<mailer@example.com>').expect('250 *');
  expect(second.hits).toBe(2);
  await client.send('RCPT TO:<bob@example.com>').expect('550 5.1.1 no such user');
  await client.send('RCPT TO:<ann@example.com>').expect('250 *');
  provider.behave();
  await client.send('RCPT TO:<bob@example.com>').expect('250 *');
  await client.send('DATA').expect('354 *');
  await client.raw('Subject: partial\r\n\r\n\r\n.\r\n').expect('250 *');
  expect(provider.messages[0]?.envelope.recipients).toEqual(['ann@example.com', 'bob@example.com']);
});

test('a refusal at the final dot commits nothing', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  provider.on('dot', '550 5.7.1 spam', { times: 1 });
  await (await client.submit(letter)).expect('550 5.7.1 spam');
  expect(provider.messages).toEqual([]);
  await (await client.submit(letter)).expect('250 *');
  expect(provider.copiesOf('<1@example.com>')).toHaveLength(1);
});

test.each([
  ['drop', drop],
  ['reset', reset],
  ['half a reply', partial('25')],
] as const)('it can take a message and lose the reply: %s', async (_, reaction) => {
  await using provider = await startProvider();
  await using client = await session(provider);
  provider.on('dot', acceptThen(reaction));
  await client.submit(letter);
  await until(() => provider.connections[0]?.closedAt);
  expect(provider.copiesOf('1@example.com')).toHaveLength(1);
});

test.each(['greeting', 'ehlo', 'auth', 'mail', 'rcpt', 'data', 'body', 'dot'] as const)(
  'a connection lost at %s commits nothing',
  async (stage) => {
    await using provider = await startProvider();
    provider.on(stage, reset);
    await expect(transport(provider, 'starttls').sendMail(mail)).rejects.toThrow();
    expect(provider.messages).toEqual([]);
    expect(provider.connections).toHaveLength(1);
  },
);

test('a reply that breaks off in its middle never ends its line', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  provider.on('dot', partial('550 5.7'));
  await expect((await client.submit(letter)).expect('550 5.7')).rejects.toThrow('the connection was closed');
});

test('garbage, many lines and 64 KB arrive as they are', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  provider.on('noop', Buffer.from([0xff, 0x00, 0x0d, 0x0a]), { times: 1 });
  provider.on('noop', '250-one\r\n250-two\r\n250 three', { times: 1 });
  provider.on('noop', `250 ${'x'.repeat(65_536)}`, { times: 1 });
  await client.send('NOOP').expect('*\0');
  expect((await client.send('NOOP').expect('250 *')).lines).toEqual(['one', 'two', 'three']);
  expect((await client.send('NOOP').expect('250 *')).lines[0]).toHaveLength(65_536);
});

test('421 ends the connection', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  provider.on('rset', '421 4.3.2 shutting down');
  await client.send('RSET').expect('421 *');
  await client.expectClosed();
});

test('the body may be refused, or lost, before it has ended', async () => {
  await using provider = await startProvider();
  provider.on('body', '552 5.3.4 enough', { after: 10, times: 1 });
  await using client = await session(provider);
  await (await client.submit(letter)).expect('552 5.3.4 enough');
  provider.on('body', drop, { after: 10 });
  await client.submit(letter);
  await client.expectClosed();
  expect(provider.messages).toEqual([]);
});

test('a stalled body is read no further, and its sender has to wait', async () => {
  await using provider = await startProvider({ requireAuth: false });
  const stalling = provider.on('body', stall);
  await using client = await connect(provider.starttlsPort);
  await client.expect('220 *');
  // More than the buffers of both systems take between them.
  await client.submit({ ...letter, message: 'x'.repeat(16_000_000) });
  await until(() => stalling.hits);
  await expect(until(() => client.unsentBytes === 0, { timeoutMs: 1_000 })).rejects.toThrow('waited');
  expect(provider.messages).toEqual([]);
});

test('its environment is one the relay understands, with the other port as failover', async () => {
  await using provider = await startProvider();
  const others = { DATABASE_URL: 'postgres://a:b@127.0.0.1/c', RELAY_PASSWORD: 'a'.repeat(32) };
  for (const [mode, ports] of [
    ['implicit', [provider.implicitPort, provider.starttlsPort]],
    ['starttls', [provider.starttlsPort, provider.implicitPort]],
  ] as const) {
    const { providers, missing } = readRelayEnvironment({ ...others, ...provider.environment(mode) });
    expect(missing).toEqual([]);
    expect(providers.map(({ routes }) => routes.map(({ port }) => port))).toEqual([ports]);
    expect(providers[0]?.routes[0]?.tlsMode).toBe(mode);
  }
});

test('a gate holds the conversation until the test has looked', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  const closed = gate();
  provider.on('dot', closed.reaction);
  const answer = await client.submit(letter);
  expect(await closed.reached).toMatchObject({ stage: 'dot', envelope: { recipients: ['ann@example.com'] } });
  expect(provider.messages).toEqual([]);
  closed.open();
  await answer.expect('250 *');
  expect(provider.messages).toHaveLength(1);
});

test('a delayed reply comes late, and comes', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  provider.on('noop', delay(60, '250 late'));
  const asked = performance.now();
  await client.send('NOOP').expect('250 late');
  expect(performance.now() - asked).toBeGreaterThanOrEqual(59);
});

test('plain text on the implicit port is no TLS', async () => {
  await using provider = await startProvider();
  provider.on('connect', '220 plain.example.net ESMTP');
  await expect(transport(provider, 'implicit').sendMail(mail)).rejects.toThrow('wrong version number');
  expect(provider.connections[0]?.tls).toBeUndefined();
});

test('it can be shut and opened again on the same ports', async () => {
  await using provider = await startProvider();
  await using client = await session(provider);
  await provider.shut('implicit');
  await client.expectClosed();
  await expect(connect(provider.implicitPort)).rejects.toThrow('ECONNREFUSED');
  await using other = await connect(provider.starttlsPort);
  await other.expect('220 *');
  await provider.open();
  await using again = await session(provider);
  provider.hangUp();
  await again.expectClosed();
  expect(provider.peakConnections).toBe(2);
});
