// Who calls, as far as an address tells: whoever has an IPv6 address has the other 2^64 of its network too.
import { isIPv6 } from 'node:net';

/** The /64 of an IPv6 address, and an IPv4 address as it is, also where it is written as IPv6 (RFC 4291 section 2.5.5.2). */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [bare = ''] = address.split('%');
  if (!isIPv6(bare)) return address;
  const [front = '', back] = bare.split('::');
  const groups = front.split(':').filter((group) => group !== '');
  const last = (back ?? '').split(':').filter((group) => group !== '');
  // An address that ends in dotted IPv4 has one group less than it seems.
  const written = groups.length + last.length + (bare.includes('.') ? 1 : 0);
  const all = back === undefined ? groups : [...groups, ...Array(8 - written).fill('0'), ...last];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
