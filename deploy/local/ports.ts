// Ports on a machine that may have plans of its own for them.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { Trouble } from './trouble.ts';

const neighbours = 50;

/**
 * The port a person asked for, or the usual one, or the next free one after it. What was asked for is never
 * replaced: a port that is taken is then a Trouble that names the variable.
 *
 * What is chosen stays ours until this process ends, also while nobody listens on it yet: another `npm start` at the
 * same moment chooses another one.
 */
export async function choosePort(
  usual: number,
  asked?: { variable: string; value: string },
): Promise<number> {
  if (asked) {
    const port = Number(asked.value);
    // What is not a port is for the process that reads it to say.
    if (!Number.isInteger(port) || port <= 0 || port >= 65_536) return port;
    await reserve(port);
    if (!(await isFree(port))) {
      throw new Trouble(
        `${asked.variable} is ${port}, but something else listens there. Choose another port, or leave ${asked.variable} unset.`,
      );
    }
    return port;
  }
  for (let port = usual; port < usual + neighbours; port++) {
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
  throw new Trouble(`No port between ${usual} and ${usual + neighbours} is free.`);
}

/**
 * Takes the UDP port of the same number, which none of our processes uses: a lock between all that start at once,
 * which the operating system releases whatever ends us.
 */
function reserve(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const lock = createSocket('udp4');
    lock.once('error', () => resolve(false));
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
