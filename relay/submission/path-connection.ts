// What we change about smtp-server's reading of MAIL and RCPT: addresses are read by us, like all addresses here, and
// stay as they came. The library divides them at blanks and each @, refuses dots, and writes domains in Unicode.
import { readPath } from './path.ts';
import { Connection, type ParsedAddress } from './smtp-server.ts';

export class PathConnection extends Connection {
  protected override onMail(command: Buffer, callback: () => void): void {
    const path = readPath(command.toString(), 'MAIL FROM');
    if (path && 'fault' in path) this.#refuse('5.1.7', path.fault, callback);
    else super.onMail(command, callback);
  }

  protected override onRcpt(command: Buffer, callback: () => void): void {
    const path = readPath(command.toString(), 'RCPT TO');
    if (path && 'fault' in path) this.#refuse('5.1.3', path.fault, callback);
    else super.onRcpt(command, callback);
  }

  protected override parseAddress(name: string, command: Buffer | string): ParsedAddress {
    const path = readPath(command.toString(), name === 'mail from' ? 'MAIL FROM' : 'RCPT TO');
    if (!path || 'fault' in path) return false;
    const parsed = super.parseAddress(name, path.rest);
    return parsed && { ...parsed, address: path.address };
  }

  #refuse(enhanced: string, fault: string, callback: () => void): void {
    this.send(501, `${enhanced} ${fault}`);
    callback();
  }
}
