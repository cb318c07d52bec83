// Who may be named as a sender. A provider refuses, or silently drops, mail from addresses that the account does not
// own; so the client is told when it submits, together with the addresses that are allowed.
import { comparableAddress, domainOf } from './address.ts';

/** Addresses, `*@domain`, or `*` for everybody. */
export type AllowedSenders = readonly string[];

/** An entry such as `*@domain` is allowed when everybody whom it names is. */
export function isAllowedSender(address: string, allowed: AllowedSenders): boolean {
  if (allowed.includes('*')) return true;
  const sender = comparableAddress(address);
  const anyOfDomain = `*@${domainOf(sender)}`;
  return allowed.some((entry) => {
    const wanted = comparableAddress(entry);
    return wanted === sender || wanted === anyOfDomain;
  });
}

/** Whom both lists allow, in the order of the second one. */
export function narrowSenders(allowed: AllowedSenders, to: AllowedSenders): AllowedSenders {
  const both = [
    ...to.filter((entry) => isAllowedSender(entry, allowed)),
    ...allowed.filter((entry) => isAllowedSender(entry, to)),
  ];
  return [...new Map(both.map((entry) => [comparableAddress(entry), entry])).values()];
}

/** The first that is one address: who speaks where nobody is named. */
export const firstAddressOf = (senders: AllowedSenders): string | undefined =>
  senders.find((entry) => !entry.startsWith('*'));
