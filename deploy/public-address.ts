// Which addresses of a network a process may speak to when somebody else chose the name: only those of the public
// internet, and what the operator permits. Whoever may name a URL would otherwise reach into the cluster (SSRF).
import { isIP } from 'node:net';
import { networkList } from './network-list.ts';

/** The registries of special-purpose addresses (RFC 6890), and what lies in no unicast space. */
const specialIpv4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  // Link-local, with the metadata service of most clouds.
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** Inside of 2000::/3, which is all that is given out as public (RFC 4291 section 2.4). */
const specialIpv6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
const globalUnicast = ['2000::/3'];

export type AddressPolicy = {
  /** Why the address must not be spoken to, as the rest of a sentence; undefined when it may. */
  faultOf(address: string): string | undefined;
  /** Whether the operator permits it by name: then TLS is not asked for. */
  isPermitted(address: string): boolean;
  /** Whether the operator permits anything at all that is not public. */
  readonly permitsSome: boolean;
};

/** @param permitted CIDRs of WEBHOOK_ALLOW_PRIVATE, already validated */
export function openAddressPolicy(permitted: readonly string[]): AddressPolicy {
  const permittedList = networkList(permitted);
  const special4 = networkList(specialIpv4);
  const special6 = networkList(specialIpv6);
  const global6 = networkList(globalUnicast);

  const isPermitted = (address: string) =>
    permittedList.contains(address) || permittedList.contains(embeddedIpv4(address) ?? '');

  function isPublic(address: string): boolean {
    const inner = embeddedIpv4(address);
    if (inner !== undefined) return isPublic(inner);
    if (isIP(address) === 4) return !special4.contains(address);
    return global6.contains(address) && !special6.contains(address);
  }

  return {
    isPermitted,
    permitsSome: permitted.length > 0,
    faultOf(address) {
      if (isIP(address) === 0 || address.includes('%')) return 'is not an address of the internet';
      return isPermitted(address) || isPublic(address)
        ? undefined
        : 'is inside of a network (private, loopback, link-local or reserved), and WEBHOOK_ALLOW_PRIVATE does not permit it';
    },
  };
}

/**
 * The IPv4 address in an IPv4-mapped one (RFC 4291 section 2.5.5.2) and in one of NAT64 (RFC 6052): the packets reach
 * that one.
 */
export function embeddedIpv4(address: string): string | undefined {
  if (isIP(address) !== 6 || address.includes('%')) return undefined;
  const groups = groupsOf(address);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  const isNat64 =
    groups[0] === 0x64 && groups[1] === 0xff9b && groups.slice(2, 6).every((group) => group === 0);
  if (!isMapped && !isNat64) return undefined;
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 255])
    .join('.');
}

/** The eight groups of an IPv6 address that is one. URL writes it in its one canonical form, without dots. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const numbers = (text: string) =>
    text === '' ? [] : text.split(':').map((hex) => Number.parseInt(hex, 16));
  const [front, back] = [numbers(head), numbers(tail ?? '')];
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
}
