// The bytes of a mail on their way into the connection, with the fence in front of the final dot.

import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';

export type Body = AsyncIterable<Buffer> | Buffer;

/**
 * A stream that ends, and so lets nodemailer write the final dot, only after `fence` has resolved. The fence is asked
 * when nothing but the end is left to write, so that a process which is frozen afterwards has a look at the clock in
 * front of the dot. It rejects when the dot must not leave; it has then destroyed the socket.
 *
 * @param onBlock called whenever the provider has taken a block: the line is alive
 */
export function fencedBody(
  body: Body,
  socket: Socket,
  onBlock: () => void,
  fence: () => Promise<void>,
): Readable {
  return Buffer.isBuffer(body) ? small(body, socket, onBlock, fence) : large(body, socket, onBlock, fence);
}

/** Kept back until the fence is passed: body and dot then leave together, in one write. */
function small(body: Buffer, socket: Socket, onBlock: () => void, fence: () => Promise<void>): Readable {
  let asked = false;
  const stream = new Readable({
    read() {
      if (asked) return;
      asked = true;
      onBlock();
      fence().then(
        () => {
          socket.cork();
          setImmediate(() => socket.uncork());
          stream.push(body);
          stream.push(null);
        },
        (error) => stream.destroy(error as Error),
      );
    },
  });
  return stream;
}

/** Read while it is sent; the fence is asked when all of it has left this process. */
function large(
  body: AsyncIterable<Buffer>,
  socket: Socket,
  onBlock: () => void,
  fence: () => Promise<void>,
): Readable {
  const blocks = body[Symbol.asyncIterator]();
  let exhausted = false;
  const advance = async () => {
    onBlock();
    const next = await blocks.next();
    if (!next.done) {
      stream.push(next.value);
      return;
    }
    exhausted = true;
    await drained(socket);
    await fence();
    // Waiting for the database has given the socket no new bytes, so the dot is next.
    stream.push(null);
  };
  const stream = new Readable({
    // One block beyond the one on the wire; backpressure does the rest.
    highWaterMark: 64 * 1024,
    read() {
      if (!exhausted) advance().catch((error) => stream.destroy(error as Error));
    },
    destroy(error, done) {
      exhausted = true;
      // A message that is given up in the middle must not keep its source open.
      Promise.resolve(blocks.return?.()).then(() => done(error), done);
    },
  });
  return stream;
}

/** Resolves when nothing of ours is left in the process: neither in the socket nor in the stream before it. */
async function drained(socket: Socket): Promise<void> {
  for (let empty = 0; empty < 2; ) {
    if (socket.destroyed) throw new Error('Connection closed unexpectedly');
    // Bytes in the stuffing stream move into the socket as soon as that has room: empty twice means both are.
    if (socket.writableLength === 0) {
      empty++;
      await nextTurn();
    } else {
      empty = 0;
      await pause(2);
    }
  }
}
