// The bytes of a mail on their way into the connection, with the fence in front of the final dot.

import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';

export type Body = AsyncIterable<Buffer> | Buffer;

/**
 * A stream that ends, and so lets nodemailer write the final dot, only after `fence` has resolved. Before the
 * fence is asked, all bytes have left this process: a process that is frozen afterwards has nothing but the
 * dot left to send, and a look at the clock in front of it.
 *
 * `fence` rejects when the dot must not leave; it has then destroyed the socket.
 */
export function fencedBody(
  body: Body,
  socket: Socket,
  onBlock: () => void,
  fence: () => Promise<void>,
): Readable {
  const blocks = Buffer.isBuffer(body) ? undefined : body[Symbol.asyncIterator]();
  let exhausted = false;

  const finish = async () => {
    await drained(socket);
    await fence();
    // Waiting for the database has given the socket no new bytes, so the dot is next.
    stream.push(null);
  };
  const advance = async () => {
    onBlock();
    if (!blocks) {
      exhausted = true;
      stream.push(body);
      return finish();
    }
    const next = await blocks.next();
    if (!next.done) return void stream.push(next.value);
    exhausted = true;
    return finish();
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
      Promise.resolve(blocks?.return?.()).then(() => done(error), done);
    },
  });
  return stream;
}

/** Resolves when nothing of ours is left in the process: neither in the socket nor in the stream before it. */
export async function drained(socket: Socket): Promise<void> {
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
