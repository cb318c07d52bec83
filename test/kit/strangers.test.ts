import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { freePort } from './ports.ts';
import {
  blackHole,
  httpServer,
  imapServer,
  plainOnTlsPort,
  silentServer,
  slammingServer,
} from './strangers.ts';
import { connect } from './transcript.ts';

/** @param shorter patience with what will never come; everything else is waited for */
const verify = (
  port: number,
  secure: boolean,
  shorter: { connectionTimeout?: number; greetingTimeout?: number } = {},
) =>
  createTransport({
    host: '127.0.0.1',
    port,
    secure,
    connectionTimeout: 20_000,
    greetingTimeout: 20_000,
    ...shorter,
  }).verify();

test('a black hole answers nobody: connecting times out', async () => {
  const port = await freePort();
  await using hole = await blackHole({ port });
  expect(hole.port).toBe(port);
  await expect(verify(port, false, { connectionTimeout: 400 })).rejects.toThrow('Connection timeout');
});

test('where a black hole was, somebody else can listen afterwards', async () => {
  const hole = await blackHole();
  await hole[Symbol.asyncDispose]();
  const socket = connectTcp({ host: '127.0.0.1', port: hole.port });
  await expect(once(socket, 'connect')).rejects.toThrow('ECONNREFUSED');
  await using _server = await plainOnTlsPort({ port: hole.port });
  await using client = await connect(hole.port);
  await client.expect('220 *');
});

test('plain text where TLS is expected', async () => {
  await using server = await plainOnTlsPort();
  await expect(verify(server.port, true)).rejects.toThrow('wrong version number');
  expect(server.connections).toBe(1);
});

test('a web server, an IMAP server, a silent one and one that closes', async () => {
  await using web = await httpServer();
  await using client = await connect(web.port);
  await client.send('EHLO laptop').expect('HTTP/1.1 400 Bad Request');
  await using imap = await imapServer();
  await expect(verify(imap.port, false)).rejects.toThrow('Invalid greeting');
  await using silent = await silentServer();
  await expect(verify(silent.port, false, { greetingTimeout: 400 })).rejects.toThrow(
    'Greeting never received',
  );
  await using slamming = await slammingServer();
  await (await connect(slamming.port)).expectClosed();
});
