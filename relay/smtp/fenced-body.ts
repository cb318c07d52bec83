// The octets of a mail on their way into the connection, with the fence in front of the final dot.
import type { Socket } from 'node:net';
import { openDotStuffing } from './dot-stuffing.ts';

export type Body = AsyncIterable<Buffer> | Buffer;

/**
 * Writes the message and, after `fence` has resolved, its end. The fence is asked when nothing but the end is left to
 * write, so that a process which is frozen afterwards has a look at the clock in front of the dot. It rejects when the
 * dot must not leave; it has then destroyed the socket.
 *
 * @param onBlock called whenever the provider has taken a block: the line is alive
 * @param mayGoOn rejects what is left of the message: the provider has already answered, or is gone
 */
export async function sendBody(
  body: Body,
  socket: Socket,
  { onBlock, mayGoOn, fence }: { onBlock: () => void; mayGoOn: () => void; fence: () => Promise<void> },
): Promise<void> {
  const stuffing = openDotStuffing();
  onBlock();
  if (Buffer.isBuffer(body)) {
    // Kept back until the fence is passed: body and dot then leave together, in one write.
    const pieces = [...stuffing.write(body), stuffing.end()];
    await fence();
    socket.write(Buffer.concat(pieces));
    return;
  }
  // Read while it is sent: one block beyond the one on the wire. Left early, it closes the source.
  let flushed = Promise.resolve();
  for await (const block of body) {
    await flushed;
    mayGoOn();
    onBlock();
    const pieces = stuffing.write(block);
    flushed = flush(socket, pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces));
  }
  // Until all of it has left this process: waiting for the database then gives the socket no new bytes, and the dot is
  // next.
  await flushed;
  mayGoOn();
  await fence();
  socket.write(stuffing.end());
}

/** Resolves when the octets have left this process, or never will. */
function flush(socket: Socket, octets: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const done = () => {
      socket.off('close', done);
      resolve();
    };
    socket.once('close', done);
    socket.write(octets, done);
  });
}
