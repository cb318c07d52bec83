// The health port of a process without a web side: /livez (the process answers), /readyz (it can do its work),
// /metrics (Prometheus text). No authentication: it is for the loopback and the cluster and is never published.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from './log.ts';

export type Readiness = { ready: boolean; [detail: string]: unknown };

export type HealthListener = AsyncDisposable & { readonly port: number };

const patienceMs = 3_000;

/**
 * Listens until disposed. `ready` is asked on every request of /readyz and given 3 seconds; late or
 * failing means not ready (503). Its further members are shown only for `/readyz?verbose`.
 * Port 0 takes any free one; the result says which. Rejects when the port cannot be had.
 */
export async function listenHealth({
  port,
  bind = '0.0.0.0',
  log,
  ready,
  metrics,
  knocked,
}: {
  port: number;
  bind?: string;
  log: Log;
  ready: () => Promise<Readiness>;
  metrics?: () => Promise<string>;
  /** Another process of Postern has something to do (deploy/knock.ts). */
  knocked?: () => void;
}): Promise<HealthListener> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      log.error({ err: error }, 'Health port failed');
      response.writeHead(500).end();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://health');
    if (request.method === 'POST' && pathname === '/wake' && knocked) {
      knocked();
      response.writeHead(204).end();
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (pathname === '/livez') {
      sendJson(response, 200, { status: 'ok' });
    } else if (pathname === '/readyz') {
      const readiness = await askReadiness();
      const shown = searchParams.has('verbose') ? readiness : { ready: readiness.ready };
      sendJson(response, readiness.ready ? 200 : 503, shown);
    } else if (pathname === '/metrics' && metrics) {
      const text = await metrics();
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    } else {
      response.writeHead(404).end();
    }
  }

  async function askReadiness(): Promise<Readiness> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<Readiness>((resolve) => {
      timer = setTimeout(resolve, patienceMs, { ready: false, reason: `no answer within ${patienceMs} ms` });
    });
    try {
      return await Promise.race([ready(), tooLate]);
    } catch (error) {
      log.warn({ err: error }, 'Not ready');
      return { ready: false, reason: 'the readiness check failed; the log says why' };
    } finally {
      clearTimeout(timer);
    }
  }

  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, bind, listening.resolve);
  await listening.promise;

  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(body));
}
