// What we change about smtp-server's reading of MAIL and RCPT: the parameters of DSN (RFC 3461) are read by us, from
// the line as it came, and the library sees the command without them.
import {
  type MessageRequest,
  type ReadRequest,
  type RecipientRequest,
  readMessageRequest,
  readRecipientRequest,
} from './dsn-parameters.ts';
import { PathConnection } from './path-connection.ts';
import type { ParsedAddress } from './smtp-server.ts';

// By the object that the library keeps in its envelope; a RCPT that is repeated brings a new one.
const ofMessages = new WeakMap<object, MessageRequest>();
const ofRecipients = new WeakMap<object, RecipientRequest>();

/** What MAIL asked for; `mailFrom` is that of the session's envelope. */
export function messageRequestOf(mailFrom: object | false): MessageRequest {
  return (mailFrom && ofMessages.get(mailFrom)) || { ret: null, envid: null };
}

/** What RCPT asked for; `address` is one of `rcptTo` in the session's envelope. */
export function recipientRequestOf(address: object): RecipientRequest {
  return ofRecipients.get(address) ?? { notify: null, orcpt: null };
}

export class DsnConnection extends PathConnection {
  #remember: ((parsed: object) => void) | undefined;

  protected override onMail(command: Buffer, callback: () => void): void {
    const rest = this.#take(readMessageRequest(command.toString()), ofMessages, callback);
    if (rest !== undefined) super.onMail(rest, callback);
  }

  protected override onRcpt(command: Buffer, callback: () => void): void {
    const isUtf8 = this.session.envelope.smtpUtf8 === true;
    const rest = this.#take(readRecipientRequest(command.toString(), isUtf8), ofRecipients, callback);
    if (rest !== undefined) super.onRcpt(rest, callback);
  }

  protected override parseAddress(name: string, command: Buffer | string): ParsedAddress {
    const parsed = super.parseAddress(name, command);
    if (parsed) this.#remember?.(parsed);
    return parsed;
  }

  /** The command without the parameters; undefined when it was refused for them. */
  #take<Request>(
    read: ReadRequest<Request>,
    requests: WeakMap<object, Request>,
    callback: () => void,
  ): Buffer | undefined {
    if ('faults' in read) {
      this.send(501, `5.5.4 ${read.faults.join('; ')}`);
      callback();
      return undefined;
    }
    this.#remember = (parsed) => requests.set(parsed, read.request);
    return Buffer.from(read.rest);
  }
}
