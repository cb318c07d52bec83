// From a name to an open connection: addresses by family, and one connection to one of them.
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { networkList } from '../../deploy/network-list.ts';
import type { Addresses } from './examination.ts';

/** Both families separately: a name may have addresses of a family this machine cannot use. Rejects when it has none. */
export async function resolve(host: string): Promise<Addresses> {
  if (isIP(host) === 4) return { ipv4: [host], ipv6: [] };
  if (isIP(host) === 6) return { ipv4: [], ipv6: [host] };
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return {
    ipv4: found.filter(({ family }) => family === 4).map(({ address }) => address),
    ipv6: found.filter(({ family }) => family === 6).map(({ address }) => address),
  };
}

/** One connection to one address, destroyed when `signal` aborts before it is there. */
export function reach(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true });
    const abort = () => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      resolve(socket);
    });
    const fail = (error: Error) => {
      signal.removeEventListener('abort', abort);
      socket.on('error', () => {}).destroy();
      reject(error);
    };
    socket.once('error', fail);
    if (signal.aborted) abort();
  });
}

// RFC 6890's special-purpose blocks that can be a network of one's own.
const privateNetworks = networkList([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]);

/** Whether an address is of this machine or of a network that is not the internet. */
export function isPrivate(address: string): boolean {
  return privateNetworks.contains(address);
}
