// Who may come without a password, and from where a password may travel in clear.
import { readFileSync } from 'node:fs';
import { networkList } from '../../deploy/network-list.ts';

export type Networks = {
  /** The network of RELAY_TRUSTED_NETWORKS the address is in; undefined when it has to log in. */
  trusted(address: string): string | undefined;
  /**
   * Whether a password may come from there without TLS: loopback, private or link-local, where it crosses nobody else's
   * wire. A gateway stands for everybody behind it, so it has to be named.
   */
  mayLogInClear(address: string): boolean;
  /** A gateway that may not. */
  hidesClients(address: string): boolean;
};

/** Addresses whose network is remembered: the lists take a few microseconds, several times a message. */
const mostKnown = 1_000;

const privateNetworks = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
];

/**
 * @param trusted CIDRs or single addresses, already validated
 * @param clearAuthFrom CIDRs of RELAY_CLEAR_AUTH_FROM
 * @param gateways never trusted: behind a published port every stranger has the address of Docker's gateway,
 *   and trusting it would make an open relay
 */
export function openNetworks(
  trusted: readonly string[],
  gateways: readonly string[],
  clearAuthFrom: readonly string[] = [],
): Networks {
  const lists = trusted.map((cidr) => ({ cidr, list: networkList([cidr]) }));
  const privateList = networkList(privateNetworks);
  const gatewayList = networkList(gateways);
  const clearList = networkList(clearAuthFrom);
  const isPrivate = (address: string) => privateList.contains(address);
  const hidesClients = (address: string) =>
    gatewayList.contains(address) && isPrivate(address) && !clearList.contains(address);
  const networkOf = (address: string) =>
    gatewayList.contains(address) ? undefined : lists.find(({ list }) => list.contains(address))?.cidr;
  const known = new Map<string, string | undefined>();
  return {
    hidesClients,
    mayLogInClear: (address) => isPrivate(address) && !hidesClients(address),
    trusted(address) {
      if (!known.has(address)) {
        if (known.size >= mostKnown) known.clear();
        known.set(address, networkOf(address));
      }
      return known.get(address);
    },
  };
}

/** For whoever looks at the conversation, and for the log. */
export const clearAuthHint = (client: string): string =>
  `AUTH without TLS is not offered to ${client}, the gateway that stands for others: RELAY_CLEAR_AUTH_FROM allows it`;

/** The default gateways of this machine or container, from Linux's routing tables; none where there are no such files. */
export function readDefaultGateways(): string[] {
  return [
    ...parseRoutes(readIfThere('/proc/net/route')),
    ...parseIpv6Routes(readIfThere('/proc/net/ipv6_route')),
  ];
}

/** `/proc/net/route`: hexadecimal columns, addresses in the byte order of the machine, which is little-endian. */
export function parseRoutes(table: string): string[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, gateway]) => destination === '00000000' && gateway && gateway !== '00000000')
    .map(([, , gateway]) =>
      (gateway?.match(/../g) ?? [])
        .reverse()
        .map((hex) => Number.parseInt(hex, 16))
        .join('.'),
    );
}

/** `/proc/net/ipv6_route`: destination, prefix length, source, prefix length, next hop. */
export function parseIpv6Routes(table: string): string[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([destination, prefix, , , nextHop]) =>
        isZero(destination) && prefix === '00' && nextHop && !isZero(nextHop),
    )
    .map(([, , , , nextHop]) => (nextHop?.match(/.{4}/g) ?? []).join(':'));
}

const isZero = (hex: string | undefined) => hex !== undefined && /^0+$/.test(hex);

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
