// The listener: slow clients are cut off after a time, and stopping lets running requests finish.
import { createServer, type RequestListener, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

const headersTimeoutMs = 10_000;
// Enough for a body with attachments on a slow line.
const requestTimeoutMs = 60_000;
// Longer than proxies keep theirs, so that it is never us who close a connection that is about to be used.
const keepAliveTimeoutMs = 75_000;
// Each takes up to 64 KB before anything of it is read: together they fit beside the rest into the smallest container.
const mostConnections = 2_000;
// Requests that still run by then are cut off; the process has 25 s to stop everything.
const stopTimeoutMs = 15_000;

export type Listening = AsyncDisposable & { readonly port: number };

/**
 * Listens until disposed. Port 0 takes any free one; the result says which. Rejects when the port cannot
 * be had.
 */
export async function listen(
  app: RequestListener,
  { port, bind }: { port: number; bind: string },
): Promise<Listening> {
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: 2_000,
    },
    app,
  );
  server.on('clientError', refuse);
  server.maxConnections = mostConnections;
  // One too many was turned away. Who has asked before makes room for who comes next; who never asks loses its
  // connection after `headersTimeoutMs`.
  server.on('drop', () => server.closeIdleConnections());

  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, bind, listening.resolve);
  await listening.promise;

  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      // A connection is idle, and would be kept alive, as soon as its running request is answered.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      const giveUp = setTimeout(() => server.closeAllConnections(), stopTimeoutMs);
      await closed;
      clearInterval(sweep);
      clearTimeout(giveUp);
    },
  };
}

/** What never became a request is answered here, in the same words as everything else. */
function refuse(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, type, title] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ([408, 'request-timeout', 'The request took too long to arrive'] as const)
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ([431, 'malformed-request', 'The HTTP request is not valid'] as const)
        : ([400, 'malformed-request', 'The HTTP request is not valid'] as const);
  const body = JSON.stringify({ type: `/problems/${type}`, title, status, detail: `${title}.` });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
