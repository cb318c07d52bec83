// Ports for servers whose number must be known before they start, as with our own processes.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

// Below the range from which operating systems draw the ports of outgoing connections
// (Linux: 32768 and up), so that nobody takes a port between our look and the server's bind.
const lowest = 10_240;
const highest = 32_000;

/**
 * A TCP port on which nobody listens. Until this process ends no other one is given it, also while the server has not
 * started yet or was killed: test files run side by side.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(lowest, highest);
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
  throw new Error(`no free port found between ${lowest} and ${highest}`);
}

/** Takes the UDP port of the same number, as deploy/local/ports.ts does: a lock that ends with this process. */
function reserve(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const lock = createSocket('udp4');
    lock.once('error', () => {
      lock.close();
      resolve(false);
    });
    lock.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      lock.unref();
      resolve(true);
    });
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    // All addresses at once: a port that is taken on any of them is taken.
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
