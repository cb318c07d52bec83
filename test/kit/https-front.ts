// TLS in front of the api, as the proxy of an installation is.
import { once } from 'node:events';
import { request as requestInClear } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export type HttpsFront = AsyncDisposable & {
  /** On the name localhost. */
  readonly url: string;
  /** Where it leads, such as `http://127.0.0.1:3000`; a number is a status that it answers by itself. */
  leadsTo: string | number | undefined;
  asked: number;
};

export async function startHttpsFront(certificate: { key: string; cert: string }): Promise<HttpsFront> {
  const server = createServer(certificate, (incoming, outgoing) => {
    front.asked++;
    if (typeof front.leadsTo !== 'string') {
      outgoing.writeHead(front.leadsTo ?? 404).end('somebody else');
      return;
    }
    const { method, url, headers } = incoming;
    const inner = requestInClear(`${front.leadsTo}${url}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    inner.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(inner);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const front: HttpsFront = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    leadsTo: undefined,
    asked: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return front;
}
