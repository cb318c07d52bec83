// Reads one DMARC record (RFC 9989, which replaced RFC 7489 in May 2026). Pure.
import { readTagList } from './tag-list.ts';

export type DmarcPolicy = 'none' | 'quarantine' | 'reject';

export type DmarcRecord = {
  /** Undefined where the record names none, or one that does not exist. */
  readonly policy: DmarcPolicy | undefined;
  readonly subdomainPolicy: DmarcPolicy | undefined;
  readonly isTest: boolean;
  readonly isStrict: { readonly dkim: boolean; readonly spf: boolean };
  /** Addresses of aggregate reports that can be used. */
  readonly reportsTo: readonly string[];
  readonly psd: 'y' | 'n' | undefined;
  /** Tags that RFC 9989 took out. */
  readonly obsolete: readonly string[];
  readonly faults: readonly string[];
};

/** The version comes first, in exactly this case. */
export const isDmarc = (text: string) => /^v\s*=\s*DMARC1\s*(?:;|$)/.test(text);

/** What was meant as one and is none. */
export const looksLikeDmarc = (text: string) => !isDmarc(text) && /^[\s"'\uFEFF]*v\s*=\s*dmarc/i.test(text);

const policies: readonly string[] = ['none', 'quarantine', 'reject'];

export function readDmarc(text: string): DmarcRecord {
  const { tags, faults } = readTagList(text);
  const found = [...faults];
  const policyOf = (tag: string): DmarcPolicy | undefined => {
    const value = tags.get(tag)?.toLowerCase();
    if (value === undefined || policies.includes(value)) return value as DmarcPolicy | undefined;
    found.push(`"${tag}=${tags.get(tag)}" is no policy (none, quarantine or reject)`);
    return undefined;
  };
  const policy = policyOf('p');
  const subdomainPolicy = policyOf('sp');
  const reports = (tags.get('rua') ?? '').split(',').map((uri) => uri.trim().split('!')[0] ?? '');
  const reportsTo = reports.flatMap((uri) => /^mailto:\s*([^\s@]+@[^\s@]+)$/i.exec(uri)?.[1] ?? []);
  for (const uri of reports) {
    if (uri !== '' && !/^mailto:[^\s@]+@[^\s@]+$/i.test(uri))
      found.push(`"rua=${uri}" must read mailto:NAME@DOMAIN`);
  }
  const psd = tags.get('psd');
  return {
    policy,
    subdomainPolicy,
    isTest: tags.get('t') === 'y',
    isStrict: { dkim: tags.get('adkim') === 's', spf: tags.get('aspf') === 's' },
    reportsTo,
    psd: psd === 'y' || psd === 'n' ? psd : undefined,
    obsolete: ['pct', 'rf', 'ri'].filter((tag) => tags.has(tag)),
    faults: found,
  };
}
