// Guessing passwords must not pay. Failures are counted for each name from a network, and for the network with all names
// together; an application with a wrong password does not lock out its neighbours behind the same address.
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';

/** What is known of one key: how often it failed, and when the count began. */
export type Count = { readonly failures: number; readonly since: number };

export type Throttle = {
  /** Seconds until another try is allowed; 0 when it is allowed now. */
  wait(network: string, name: string, now: number): number;
  failed(network: string, name: string, now: number): void;
  succeeded(network: string, name: string): void;
  /** What other relays have counted, too; the higher count is true. */
  learn(key: string, count: Count): void;
};

export const windowMs = 10 * 60_000;
const failuresPerName = 5;
const failuresPerNetwork = 50;
// A botnet must not fill our memory.
const mostRemembered = 10_000;
// Where newcomers are counted together once the memory is full of counts that still last.
const mostShared = 256;

/** Times are milliseconds of any clock that does not go backwards. */
export function openThrottle(): Throttle {
  const counts = new Map<string, Count>();

  /** Penalties are not forgotten because others fail: who comes when all room is taken shares a count. */
  function placeOf(key: string, now: number): string {
    if (counts.has(key) || counts.size < mostRemembered) return key;
    for (const [old, { since }] of counts) {
      if (since + windowMs > now) break;
      counts.delete(old);
    }
    return counts.size < mostRemembered ? key : sharedPlace(key);
  }

  function waitFor(key: string, allowed: number, now: number): number {
    const count =
      counts.get(key) ?? (counts.size >= mostRemembered ? counts.get(sharedPlace(key)) : undefined);
    if (!count || count.failures < allowed) return 0;
    return Math.max(0, Math.ceil((count.since + windowMs - now) / 1000));
  }

  function add(key: string, now: number): void {
    const place = placeOf(key, now);
    const last = counts.get(place);
    if (last && last.since + windowMs > now) counts.set(place, { ...last, failures: last.failures + 1 });
    else {
      // Behind the others, so that the oldest come first.
      counts.delete(place);
      counts.set(place, { failures: 1, since: now });
    }
  }

  return {
    wait(network, name, now) {
      return Math.max(
        waitFor(nameKey(network, name), failuresPerName, now),
        waitFor(networkKey(network), failuresPerNetwork, now),
      );
    },
    failed(network, name, now) {
      add(nameKey(network, name), now);
      add(networkKey(network), now);
    },
    succeeded(network, name) {
      counts.delete(nameKey(network, name));
    },
    learn(key, count) {
      const own = counts.get(key);
      if (own && own.failures >= count.failures) return;
      if (own || counts.size < mostRemembered) counts.set(key, count);
    },
  };
}

/** Digests, because what is typed as a name is sometimes a password. */
export const nameKey = (network: string, name: string) => digest(`${network} ${name}`);
export const networkKey = (network: string) => digest(network);

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

const sharedPlace = (key: string) => `shared ${Number.parseInt(key.slice(0, 8), 16) % mostShared}`;

/** The address itself; of IPv6 the /64, which is what one customer of a network has (RFC 6177). */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  // An IPv4 address at the end takes the room of two groups.
  const length = before.length + after.length + (plain.includes('.') ? 1 : 0);
  const groups =
    tail === undefined ? before : [...before, ...Array(Math.max(0, 8 - length)).fill('0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
