// The private members of nodemailer's SMTP connection that we use, in this one place: test/relay/smtp/nodemailer.test.ts
// holds them against the version that is pinned.
import type { Socket } from 'node:net';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';

type Private = {
  _socket: Socket | false;
  _supportedExtensions: string[];
  _ehloLines: string[];
  _sendCommand(line: string, shown?: string): void;
};

const inside = (connection: SMTPConnection) => connection as unknown as Private;

/** The socket in use, also behind STARTTLS; undefined once it is gone. */
export function socketOf(connection: SMTPConnection): Socket | undefined {
  return inside(connection)._socket || undefined;
}

/** What the server said to EHLO. */
export function offers(connection: SMTPConnection, extension: '8BITMIME' | 'SMTPUTF8' | 'DSN'): boolean {
  return inside(connection)._supportedExtensions.includes(extension);
}

/** The mechanisms that the server offers for AUTH; nodemailer itself keeps only those it knows. */
export function mechanismsOf(connection: SMTPConnection): string[] {
  return inside(connection)._ehloLines.flatMap((line) =>
    (/^AUTH[\s=](.*)/i.exec(line)?.[1] ?? '').split(/[\s=]+/).filter((word) => word !== ''),
  );
}

/** Sends each command as `complete` returns it. The answer ends that. */
export function rewriteCommands(
  connection: SMTPConnection,
  complete: (command: string) => string,
): () => void {
  const own = inside(connection) as Partial<Private>;
  const send = own._sendCommand?.bind(connection);
  own._sendCommand = (command, shown) => send?.(complete(command), shown);
  return () => {
    // What the prototype has comes back.
    delete own._sendCommand;
  };
}

/** nodemailer keeps the account of the recipients on the very object it is given. */
export type Envelope = SMTPConnection.Envelope & {
  accepted?: string[];
  rejectedErrors?: (Error & { recipient?: string })[];
};
