// What this machine calls itself in EHLO.
import type { Socket } from 'node:net';
import { hostname } from 'node:os';

/** RFC 5321 §4.1.3: a name that others can resolve, or else the address we speak from. */
export function ehloName(socket: Socket): string {
  const name = hostname();
  const isPublic =
    /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(name) &&
    !/^[\d.]+$/.test(name) &&
    !/\.(local|internal|lan)$/i.test(name);
  if (isPublic) return name;
  const address = socket.localAddress ?? '127.0.0.1';
  return address.includes(':') && !address.startsWith('::ffff:')
    ? `[IPv6:${address}]`
    : `[${address.replace('::ffff:', '')}]`;
}
