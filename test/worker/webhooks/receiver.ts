// An application that hears of events, on a real socket. It answers 204 unless it is told otherwise.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Heard = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly event: { type: string; timestamp: string; data: Record<string, unknown> };
  readonly id: string;
  readonly at: number;
};

type Answer = (response: ServerResponse, heard: Heard, request: IncomingMessage) => void;

export type Receiver = AsyncDisposable & {
  readonly url: string;
  readonly heard: readonly Heard[];
  /** Requests that are open now. */
  readonly open: number;
  readonly mostOpen: number;
  answer(how: Answer): void;
};

export async function startReceiver(host = '127.0.0.1', path = '/hooks'): Promise<Receiver> {
  const heard: Heard[] = [];
  let how: Answer = (response) => response.writeHead(204).end();
  let open = 0;
  let mostOpen = 0;
  const server = createServer(async (request, response) => {
    open++;
    mostOpen = Math.max(mostOpen, open);
    response.on('close', () => open--);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const headers = request.headers as Record<string, string>;
    const one = { headers, body, event: JSON.parse(body), id: headers['webhook-id'] ?? '', at: Date.now() };
    heard.push(one);
    how(response, one, request);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`,
    heard,
    get open() {
      return open;
    },
    get mostOpen() {
      return mostOpen;
    },
    answer(given) {
      how = given;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close').catch(() => {});
    },
  };
}
