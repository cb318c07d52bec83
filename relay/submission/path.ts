// The path of MAIL and RCPT (RFC 5321 section 4.1.2): where the address stands in the command. Pure.
import { readAddress } from '../client/address/address.ts';

export type PathReading =
  /** `rest` is the command with the null path in place of the address: what is left for smtp-server to read. */
  | { readonly address: string; readonly rest: string }
  /** What to tell the client. */
  | { readonly fault: string };

const quotedOrPlain = /^<((?:"(?:[^"\\]|\\.)*"|[^">])*)>/s;
// What is no path is cut at its first bracket, so that its fault can be named.
const anyPath = /^<([^>]*)>/s;
// RFC 5321 appendix C: a source route must be accepted and should be ignored.
const sourceRoute = /^@(?:\[[^\]]*\]|[^\s,:@"]+)(?:,@(?:\[[^\]]*\]|[^\s,:@"]+))*:/;

/** Undefined where the command does not begin like this one. */
export function readPath(command: string, name: 'MAIL FROM' | 'RCPT TO'): PathReading | undefined {
  const begin = /^\s*(?:MAIL FROM|RCPT TO)\s*:\s*/i.exec(command)?.[0];
  if (begin?.trim().slice(0, name.length).toUpperCase() !== name) return undefined;
  const argument = command.slice(begin.length);
  const path = quotedOrPlain.exec(argument) ?? anyPath.exec(argument);
  if (!path) return { fault: `The address must stand in angle brackets: ${name}:<ann@example.com>` };

  const behind = argument.slice(path[0].length);
  const rest = `${begin}<>${behind}`;
  const given = path[1] as string;
  const address = given.replace(sourceRoute, '');
  // RFC 5321 section 4.5.5 and 4.1.1.3.
  if (given === '' && name === 'MAIL FROM') return { address, rest };
  if (/^postmaster$/i.test(address) && name === 'RCPT TO') return { address, rest };
  const reading = readAddress(address);
  // Our client side refuses them before it speaks: better said here than after the 250.
  if ('address' in reading && /[<>]/.test(address)) {
    return { fault: `<${shown(address)}> has < or > in its quoted local part, which cannot be passed on` };
  }
  return 'fault' in reading ? { fault: `<${shown(address)}> ${shown(reading.fault)}` } : { address, rest };
}

/** RFC 5321 section 4.5.3.1.5: a reply line has 512 octets. */
const shown = (text: string) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 160);
