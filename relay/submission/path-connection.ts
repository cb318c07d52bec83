// What we change about smtp-server's reading of MAIL and RCPT: addresses are read by us, like all addresses here, and
// stay as they came. The library divides them at blanks and each @, refuses dots, and writes domains in Unicode.
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { readPath } from './path.ts';

type ParsedAddress = ReturnType<SMTPConnection['_parseAddressCommand']>;

export class PathConnection extends SMTPConnection {
  override handler_MAIL(command: Buffer, callback: () => void): void {
    const path = readPath(command.toString(), 'MAIL FROM');
    if (path && 'fault' in path) this.#refuse('5.1.7', path.fault, callback);
    else super.handler_MAIL(command, callback);
  }

  override handler_RCPT(command: Buffer, callback: () => void): void {
    const path = readPath(command.toString(), 'RCPT TO');
    if (path && 'fault' in path) this.#refuse('5.1.3', path.fault, callback);
    else super.handler_RCPT(command, callback);
  }

  override _parseAddressCommand(name: string, command: Buffer | string): ParsedAddress {
    const path = readPath(command.toString(), name === 'mail from' ? 'MAIL FROM' : 'RCPT TO');
    if (!path || 'fault' in path) return false;
    const parsed = super._parseAddressCommand(name, path.rest);
    return parsed && { ...parsed, address: path.address };
  }

  #refuse(enhanced: string, fault: string, callback: () => void): void {
    this.send(501, `${enhanced} ${fault}`);
    callback();
  }
}
