// Who publishes what where: the domain that is examined, the provider that sends for it, and where its zone is edited.

import { hostField } from './dns-host.ts';
import type { DnsRecord } from './finding.ts';
import type { ProviderDns } from './provider-dns.ts';

export type Publishing = {
  /** Of the From address; A-labels. */
  readonly domain: string;
  /** The registered domain above it, or itself. */
  readonly zone: string;
  /** Undefined for a provider of which nothing is known. */
  readonly provider: ProviderDns | undefined;
  /** "at Namecheap (Domain List, Manage, Advanced DNS)". */
  readonly where: string;
  /** A TXT record as it is typed there. */
  txt(name: string, value: string): DnsRecord;
};

export function publishingFor(
  domain: string,
  zone: string,
  provider: ProviderDns | undefined,
  editor: string,
): Publishing {
  return {
    domain,
    zone,
    provider,
    where: editor.startsWith('where') ? editor : `at ${editor}`,
    txt: (name, value) => ({ name, type: 'TXT', value, host: hostField(name, zone) }),
  };
}
