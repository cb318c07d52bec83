// The private members of nodemailer's SMTP connection that we use, in this one place: test/relay/smtp/nodemailer.test.ts
// holds them against the version that is pinned.
import type { Socket } from 'node:net';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Extension } from './envelope-commands.ts';

type Private = {
  _socket: Socket | false;
  _supportedExtensions: string[];
  /** Missing where the server knows only HELO. */
  _ehloLines?: string[];
  _maxAllowedSize: number;
  _responseActions: ((reply: string) => void)[];
  _pendingSend: false | { callback(error: Error): void; stream: false };
  _envelope: object;
  _sendCommand(line: string, shown?: string): void;
};

const inside = (connection: SMTPConnection) => connection as unknown as Private;

/** The socket in use, also behind STARTTLS; undefined once it is gone. */
export function socketOf(connection: SMTPConnection): Socket | undefined {
  return inside(connection)._socket || undefined;
}

/** What the server said to EHLO. */
export function offers(connection: SMTPConnection, extension: Extension): boolean {
  return inside(connection)._supportedExtensions.includes(extension);
}

/** The mechanisms that the server offers for AUTH; nodemailer itself keeps only those it knows. */
export function mechanismsOf(connection: SMTPConnection): string[] {
  return (inside(connection)._ehloLines ?? []).flatMap((line) =>
    (/^AUTH[\s=](.*)/i.exec(line)?.[1] ?? '').split(/[\s=]+/).filter((word) => word !== ''),
  );
}

/** The largest message that the server takes (RFC 1870); 0 when it has not said so. */
export const largestMessage = (connection: SMTPConnection): number => inside(connection)._maxAllowedSize || 0;

/** Commands of our own, and who hears the replies, which nodemailer reads. */
export type Exchange = {
  /** Sends commands in one go. Each reply goes to its command, in their order. */
  send(commands: readonly (readonly [line: string, heard: (reply: string) => void])[]): void;
  /** The next reply answers what is not a command: the end of a message, or what of it has left by then. */
  expect(heard: (reply: string) => void): void;
  /** The connection is nodemailer's again. */
  end(): void;
};

/** @param lost told why no reply comes any more: the connection ended, or what came is not what was asked for */
export function beginExchange(connection: SMTPConnection, lost: (error: Error) => void): Exchange {
  const own = inside(connection);
  own._envelope = {};
  own._pendingSend = { callback: lost, stream: false };
  return {
    send(commands) {
      const socket = socketOf(connection);
      socket?.cork();
      for (const [line, heard] of commands) {
        own._responseActions.push(heard);
        own._sendCommand(line);
      }
      socket?.uncork();
    },
    expect(heard) {
      own._responseActions.push(heard);
    },
    end() {
      own._pendingSend = false;
    },
  };
}
