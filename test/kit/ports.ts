// Ports for servers whose number must be known before they start, as with our own processes.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which operating systems draw the ports of outgoing connections
// (Linux: 32768 and up), so that nobody takes a port between our look and the server's bind.
const lowest = 10_240;
const highest = 32_000;
const given = new Set<number>();

/** A TCP port on which nobody listens, never the same twice in this process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(lowest, highest);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${lowest} and ${highest}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    // All addresses at once: a port that is taken on any of them is taken.
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
