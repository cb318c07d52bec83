// Whose domains are looked at: those that may stand in a From address.
import { domainToASCII } from 'node:url';

/** A list of allowed senders is written by hand; beyond this it is no list of a team's domains. */
const most = 50;

export type SendingDomain = {
  /** A-labels, lower case. */
  readonly domain: string;
  /** The host that mail of this domain leaves by; undefined where no provider may send for it. */
  readonly host: string | undefined;
};

export type SendingProvider = {
  readonly host: string;
  /** Addresses, `*@domain` or `*`. */
  readonly allowedSenders: readonly string[];
};

/**
 * The domains of the From address and of all allowed senders, each with the first provider that may send for it. `*`
 * names no domain.
 */
export function sendingDomains(
  from: string | undefined,
  providers: readonly SendingProvider[],
): SendingDomain[] {
  const named = [
    ...(from === undefined ? [] : [{ domain: domainIn(from), host: providers[0]?.host }]),
    ...providers.flatMap(({ host, allowedSenders }) =>
      allowedSenders.filter((sender) => sender !== '*').map((sender) => ({ domain: domainIn(sender), host })),
    ),
  ];
  const first = new Map<string, SendingDomain>();
  for (const each of named) if (each.domain !== '' && !first.has(each.domain)) first.set(each.domain, each);
  return [...first.values()].slice(0, most);
}

/** Empty where there is no domain with a dot: `localhost` has no records that a receiver sees. */
export function domainIn(sender: string): string {
  const domain = domainToASCII(sender.slice(sender.lastIndexOf('@') + 1).toLowerCase());
  return domain.includes('.') ? domain : '';
}
