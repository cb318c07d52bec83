// Peers that are not the provider: what a relay meets behind a wrong port, a wrong host or a firewall.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

export type Stranger = AsyncDisposable & {
  readonly port: number;
  /** How many connections it has accepted. */
  readonly connections: number;
};

type Place = { readonly host?: string; readonly port?: number };

/** A server in plain text where TLS is expected: `wrong version number`. */
export const plainOnTlsPort = (place?: Place) =>
  startSpeaker({ banner: '220 mail.example.net ESMTP\r\n', answer: '502 5.5.2 Error\r\n' }, place);

/** A web server, which says nothing until it is spoken to. */
export const httpServer = (place?: Place) =>
  startSpeaker({ answer: 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', thenClose: true }, place);

export const imapServer = (place?: Place) =>
  startSpeaker({ banner: '* OK [CAPABILITY IMAP4rev1] ready\r\n', answer: '* BAD Error\r\n' }, place);

/** Accepts and never says a word: a tarpit, or a TLS port met without TLS. */
export const silentServer = (place?: Place) => startSpeaker({}, place);

/** Accepts and closes at once: a banned address, or an overloaded server. */
export const slammingServer = (place?: Place) => startSpeaker({ banner: '', thenClose: true }, place);

type Manners = {
  /** Said on connecting. */
  readonly banner?: string;
  /** Said whenever something arrives. */
  readonly answer?: string;
  /** Closes after the first thing it has said. */
  readonly thenClose?: boolean;
};

async function startSpeaker({ banner, answer, thenClose }: Manners, place: Place = {}): Promise<Stranger> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    const say = (words: string) => (thenClose ? socket.end(words) : socket.write(words));
    if (banner !== undefined) say(banner);
    socket.on('data', () => {
      if (answer !== undefined && socket.writable) say(answer);
    });
  });
  server.listen(place.port ?? 0, place.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

// Listens, tells the port, and blocks its thread for good: the kernel queues connections, nobody accepts them.
const sleeper = `
  const { createServer } = require('node:net');
  const { parentPort, workerData } = require('node:worker_threads');
  const server = createServer().listen({ ...workerData, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
  server.on('error', (error) => { throw error; });
`;

/**
 * A port that swallows packets, as behind a firewall that drops them: a SYN gets no answer, so connecting takes
 * until the client gives up. Needs no privileges: the queue of a listener that accepts nobody is filled up, and
 * Linux then drops further SYNs.
 */
export async function blackHole({
  host = '127.0.0.1',
  port = 0,
}: Place = {}): Promise<AsyncDisposable & { readonly port: number }> {
  const thread = new Worker(sleeper, { eval: true, workerData: { host, port } });
  const [swallowing] = (await once(thread, 'message')) as [number];
  const fillers: Socket[] = [];
  for (;;) {
    const filler = connect({ host, port: swallowing }).on('error', () => {});
    fillers.push(filler);
    await Promise.race([once(filler, 'connect'), pause(150)]);
    // On a busy machine the pause may be over first although the connection was made: that is heard in this turn.
    await nextTurn();
    if (filler.connecting) break;
    if (fillers.length > 50) throw new Error('this system accepts connections beyond the backlog');
  }
  return {
    port: swallowing,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy();
      await thread.terminate();
    },
  };
}
