import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startProvider } from './provider.ts';
import { connect } from './transcript.ts';

/** A server that says what the test says, and hands over what it heard. */
async function startEcho(onSocket: (socket: Socket) => void): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => onSocket(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

test('a reply of many lines is read whole, and any of its lines may match', async () => {
  await using server = await startEcho((socket) =>
    socket.write('250-mail\r\n250-SIZE 10\r\n250 HELP\r\n220 next\r\n'),
  );
  await using client = await connect(server.port);
  const reply = await client.expect('250 SIZE *');
  expect(reply).toEqual({
    code: 250,
    lines: ['mail', 'SIZE 10', 'HELP'],
    text: '250-mail\n250-SIZE 10\n250 HELP',
  });
  await client.expect('220 next');
});

test('a reply that does not match fails with the transcript so far', async () => {
  await using server = await startEcho((socket) => socket.write('554 5.7.1 go away\r\n'));
  await using client = await connect(server.port);
  await expect(client.send('EHLO laptop').expect('250 *')).rejects.toThrow(
    'expected 250 *, got: 554 5.7.1 go away\nso far:\n> EHLO laptop\n< 554 5.7.1 go away',
  );
});

test('silence fails after its time, and a close is told from a reply', async () => {
  await using silent = await startEcho(() => {});
  await using waiting = await connect(silent.port, { timeoutMs: 50 });
  await expect(waiting.expect('220 *')).rejects.toThrow('waited 50 ms for 220 *');
  await using closing = await startEcho((socket) => socket.end('221 2.0.0 Bye\r\n'));
  await using client = await connect(closing.port);
  await expect(client.expectClosed()).rejects.toThrow('it said: 221 2.0.0 Bye');
  await client.expectClosed();
});

test('bytes leave untouched, in the pieces that were asked for', async () => {
  const chunks: Buffer[] = [];
  await using server = await startEcho((socket) => {
    socket.on('data', (chunk) => chunks.push(chunk)).on('end', () => socket.end('250 all\r\n'));
  });
  await using client = await connect(server.port);
  const bytes = Buffer.from([0, 10, 13, 255, 46, 13, 10]);
  const answer = await client.trickle(bytes, 2);
  client.end();
  await answer.expect('250 all');
  expect(Buffer.concat(chunks)).toEqual(bytes);
  expect(chunks.length).toBeGreaterThan(1);
});

test('a certificate of unknown origin, or for another name, is not believed', async () => {
  await using provider = await startProvider({ certificate: { names: ['mail.example.net'] } });
  await expect(connect(provider.implicitPort, { tls: {} })).rejects.toThrow('unable to verify');
  await expect(connect(provider.implicitPort, { tls: { ca: provider.ca } })).rejects.toThrow('127.0.0.1');
  await using client = await connect(provider.implicitPort, {
    tls: { ca: provider.ca, servername: 'mail.example.net' },
  });
  await client.expect('220 *');
  expect(provider.connections.at(-1)?.tls?.servername).toBe('mail.example.net');
});
