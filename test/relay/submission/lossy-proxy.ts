// A wire to PostgreSQL that can lose an answer: the statement arrives and is committed, and nobody hears of it.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type LossyProxy = AsyncDisposable & {
  readonly url: string;
  /** From the next client bytes that contain `text` on, answers are lost and the connection with them. */
  loseAnswerTo(text: string): void;
  /** How many answers were lost so far. */
  readonly lost: number;
};

export async function startLossyProxy(databaseUrl: string): Promise<LossyProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let armed: string | undefined;
  let lost = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let isLosing = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    client.on('data', (bytes: Buffer) => {
      if (armed !== undefined && bytes.includes(armed)) {
        armed = undefined;
        isLosing = true;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      if (!isLosing) client.write(bytes);
      else if (isReadyForQuery(bytes)) {
        lost++;
        client.resetAndDestroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    loseAnswerTo(text) {
      armed = text;
    },
    get lost() {
      return lost;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The message `Z` with state `I`: the transaction is over, and with it the commit. */
const isReadyForQuery = (bytes: Buffer) => bytes.includes(Buffer.from([0x5a, 0, 0, 0, 5, 0x49]));
