// The fields we write ourselves: one Received for every mail, Message-ID and Date where the client forgot them.
import { randomUUID } from 'node:crypto';
import { dateTime } from '../smtp/date-time.ts';

export type Trace = {
  /** What the client called itself in EHLO. */
  readonly helo: string;
  readonly address: string;
  readonly by: string;
  /** `ESMTPSA` and its kin (RFC 3848), `UTF8SMTPA` with SMTPUTF8 (RFC 6531 section 4.3). */
  readonly protocol: string;
  readonly queueId: string;
  readonly at: Date;
};

/** The trace field of RFC 5321 section 4.4. Without a `for` clause, which would name a Bcc recipient to everybody. */
export function receivedField({ helo, address, by, protocol, queueId, at }: Trace): string {
  const literal = address.includes(':') ? `IPv6:${address}` : address;
  return (
    `Received: from ${harmless(helo)} ([${literal}])\r\n` +
    `\tby ${harmless(by)} (Postern) with ${protocol} id ${queueId};\r\n` +
    `\t${dateTime(at)}\r\n`
  );
}

/** @param sender its domain becomes the right-hand side, so that the id is ours to give (RFC 5322 section 3.6.4) */
export function messageIdFor(sender: string): string {
  return `<${randomUUID()}@${sender.slice(sender.lastIndexOf('@') + 1)}>`;
}

/** A client may call itself anything; parentheses and semicolons would end the clause early. */
function harmless(name: string): string {
  return name.replace(/[^\w.:[\]-]/g, '?').slice(0, 255) || 'unknown';
}
