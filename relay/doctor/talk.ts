// A conversation with whoever listens on a port, line by line. Delivery uses nodemailer; the doctor must also hear
// what is no SMTP at all, and see what is offered before and after STARTTLS.
import type { Socket } from 'node:net';
import { readReply, tidy } from '../smtp/reply.ts';

export type Answer = { readonly code: number; readonly enhanced: string | null; readonly text: string };

export type Talk = {
  readonly socket: Socket;
  /** The next complete reply (RFC 5321 §4.2). Rejects with `NotSmtp` on anything else, and when the peer hangs up. */
  hear(): Promise<Answer>;
  ask(command: string): Promise<Answer>;
  /** Sends without waiting. */
  say(text: string): void;
  /** Lets go of the socket, so that TLS can take it over. What was sent ahead of TLS is not read (RFC 3207 §4.2). */
  release(): Socket;
  /** QUIT, without waiting for the answer. */
  close(): void;
};

/** The peer said something, and it was no SMTP. */
export class NotSmtp extends Error {
  override readonly name = 'NotSmtp';
  readonly said: string;

  constructor(said: string) {
    super('Invalid greeting or reply');
    this.said = said;
  }
}

const longestReply = 64 * 1024;

export function openTalk(socket: Socket): Talk {
  let heard = Buffer.alloc(0);
  let lost: Error | undefined;
  let listening: (() => void) | undefined;

  const onData = (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    listening?.();
  };
  const onError = (error: Error) => {
    lost ??= error;
    listening?.();
  };
  const onClose = () => onError(new Error('Connection closed unexpectedly'));
  socket.on('data', onData).on('error', onError).on('close', onClose).on('end', onClose);

  function take(): Answer | undefined {
    const text = heard.toString('utf8');
    const lines = text.split('\n').slice(0, -1);
    const stranger = lines.find((line) => !/^\d{3}(?:[ -]|\r?$)/.test(line));
    if (stranger !== undefined || heard.length > longestReply) throw new NotSmtp(tidy(text));
    const last = lines.findIndex((line) => /^\d{3}(?: |\r?$)/.test(line));
    if (last < 0) return undefined;
    const raw = lines
      .slice(0, last + 1)
      .join('\n')
      .replaceAll('\r', '');
    heard = heard.subarray(Buffer.byteLength(lines.slice(0, last + 1).join('\n')) + 1);
    const reply = readReply(raw);
    if (!reply) throw new NotSmtp(tidy(raw));
    return reply;
  }

  function hear(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      listening = () => {
        try {
          const answer = take();
          if (answer) resolve(answer);
          else if (!lost) return;
          else reject(heard.length > 0 ? new NotSmtp(tidy(heard.toString('utf8'))) : lost);
        } catch (error) {
          reject(error);
        }
        listening = undefined;
      };
      listening();
    });
  }

  return {
    socket,
    hear,
    ask(command) {
      socket.write(`${command}\r\n`);
      return hear();
    },
    say(text) {
      socket.write(text);
    },
    release() {
      socket.off('data', onData).off('error', onError).off('close', onClose).off('end', onClose);
      return socket;
    },
    close() {
      socket.off('error', onError).on('error', () => {});
      if (socket.destroyed) return;
      socket.end('QUIT\r\n');
      // Polite, but not for long: nobody waits for a peer that does not hang up.
      setTimeout(() => socket.destroy(), 500).unref();
    },
  };
}
