// Ports on a machine that may have plans of its own for them.
import { createServer } from 'node:net';
import { Trouble } from './trouble.ts';

const neighbours = 50;
const given = new Set<number>();

/**
 * The port a person asked for, or the usual one, or the next free one after it. What was asked for is never
 * replaced: a port that is taken is then a Trouble that names the variable.
 */
export async function choosePort(
  usual: number,
  asked?: { variable: string; value: string },
): Promise<number> {
  if (asked) {
    const port = Number(asked.value);
    // What is not a port is for the process that reads it to say.
    if (Number.isInteger(port) && port > 0 && port < 65_536 && !(await isFree(port))) {
      throw new Trouble(
        `${asked.variable} is ${port}, but something else listens there. Choose another port, or leave ${asked.variable} unset.`,
      );
    }
    given.add(port);
    return port;
  }
  for (let port = usual; port < usual + neighbours; port++) {
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Trouble(`No port between ${usual} and ${usual + neighbours} is free.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    // All addresses at once: a port that is taken on any of them is taken.
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
