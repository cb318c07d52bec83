// A fixed address that leads to one server today and to another one tomorrow, as a service name of Kubernetes or the
// host of a managed database does.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Forwarder = AsyncDisposable & {
  readonly port: number;
  /** Where new connections lead from now on; what is open stays where it is. Undefined: they are refused. */
  leadTo(port: number | undefined): void;
  /** Ends every open connection. */
  cut(): void;
};

export async function startForwarder(target?: number): Promise<Forwarder> {
  let port = target;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    if (port === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on('error', () => {});
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (next) => {
      port = next;
    },
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
