// One end of a TCP connection, read line by line or chunk by chunk, that can turn into TLS on the way.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions, TLSSocket } from 'node:tls';

export type Wire = {
  /** The next line without its line end (CRLF, or LF from the careless); undefined when the other end is gone. */
  readLine(): Promise<string | undefined>;
  /** Whatever has arrived, at least one byte; undefined when the other end is gone. */
  readChunk(): Promise<Buffer | undefined>;
  /** Puts bytes back that belong to the next read. */
  unread(bytes: Buffer): void;
  /** What has arrived and was not read. */
  readonly pending: Buffer;
  write(bytes: string | Uint8Array): void;
  /** Bytes written that the system has not taken yet, because the other end does not read. */
  readonly unsentBytes: number;
  /** Sends these last bytes and says goodbye. */
  end(bytes?: string | Uint8Array): void;
  destroy(): void;
  /** Closes with RST, whatever lies on top of TCP. */
  reset(): void;
  /** Resolves when the connection is over. */
  readonly closed: Promise<unknown>;
  /** Continue in TLS. Plain bytes that have arrived and were not read are dropped. */
  secureAsServer(options: SecureContextOptions): Promise<TLSSocket>;
  secureAsClient(options: { host: string; ca?: string; servername?: string }): Promise<TLSSocket>;
};

// More than this unread, and the sender is made to wait: a stalled reader must look stalled.
const highWaterBytes = 256 * 1024;

export function createWire(raw: Socket): Wire {
  let socket: Socket = raw;
  let pending: Buffer = Buffer.alloc(0);
  let over = false;
  let wake: (() => void) | undefined;
  const closed = new Promise((resolve) => raw.once('close', resolve));

  const onData = (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    if (pending.length > highWaterBytes) socket.pause();
    wake?.();
  };
  const onOver = () => {
    over = true;
    wake?.();
  };
  let listening = false;
  const listen = () => {
    if (listening) return;
    listening = true;
    socket.on('data', onData).once('end', onOver).once('close', onOver);
    if (socket.destroyed || socket.readableEnded) onOver();
  };
  const hush = () => {
    listening = false;
    socket.removeListener('data', onData).removeListener('end', onOver).removeListener('close', onOver);
    socket.pause();
  };
  const arrival = async () => {
    listen();
    socket.resume();
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (over) resolve();
    });
    wake = undefined;
  };
  const take = (count: number): Buffer => {
    const taken = pending.subarray(0, count);
    pending = pending.subarray(count);
    return taken;
  };
  // Errors end in a close, and that is all a test needs to see; without a listener they would end the process.
  raw.on('error', () => {});
  raw.setNoDelay(true);

  const secured = async (tls: TLSSocket, event: 'secure' | 'secureConnect'): Promise<TLSSocket> => {
    let complaint: Error | undefined;
    // The server's side tells handshake errors by this undocumented event only.
    tls.on('_tlsError', (error: Error) => {
      complaint = error;
    });
    tls.on('error', (error) => {
      complaint = error;
    });
    const failed = once(tls, 'close').then(() => {
      throw complaint ?? new Error('closed during the TLS handshake');
    });
    failed.catch(() => {});
    await Promise.race([once(tls, event), failed]);
    socket = tls;
    listen();
    return tls;
  };

  return {
    async readLine() {
      for (let searched = 0; ; ) {
        const end = pending.indexOf(10, searched);
        if (end >= 0)
          return take(end + 1)
            .toString('utf8')
            .replace(/\r?\n$/, '');
        if (over) return undefined;
        searched = pending.length;
        await arrival();
      }
    },
    async readChunk() {
      while (pending.length === 0) {
        if (over) return undefined;
        await arrival();
      }
      return take(pending.length);
    },
    unread(bytes) {
      pending = Buffer.concat([bytes, pending]);
    },
    get pending() {
      return pending;
    },
    write: (bytes) => {
      if (!socket.destroyed) socket.write(bytes);
    },
    get unsentBytes() {
      return socket.writableLength;
    },
    end: (bytes) => {
      if (socket.destroyed) return;
      if (bytes === undefined) socket.end();
      else socket.end(bytes);
    },
    destroy: () => {
      socket.destroy();
      raw.destroy();
    },
    reset: () => raw.resetAndDestroy(),
    closed,
    secureAsServer(options) {
      hush();
      pending = Buffer.alloc(0);
      return secured(new TLSSocket(raw, { isServer: true, ...options }), 'secure');
    },
    secureAsClient(options) {
      hush();
      return secured(connectTls({ socket: raw, ...options }), 'secureConnect');
    },
  };
}
