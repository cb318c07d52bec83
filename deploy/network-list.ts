// Whether an address lies in one of several networks.
import { BlockList, isIP } from 'node:net';

export type NetworkList = {
  /** False also for what is no address. An IPv4 address is found in its IPv6 form (`::ffff:192.0.2.1`) as well. */
  contains(address: string): boolean;
};

/** @param cidrs such as `10.0.0.0/8`, already validated; an address alone is a network of one */
export function networkList(cidrs: readonly string[]): NetworkList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix] = cidr.split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(network, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family);
  }
  return {
    contains(address) {
      const family = isIP(address);
      return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
    },
  };
}
