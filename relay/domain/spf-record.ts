// Reads one SPF record (RFC 7208 section 4.6). Pure; what it includes is followed elsewhere.

export type SpfTerm =
  | { readonly kind: 'mechanism'; readonly qualifier: string; readonly name: string; readonly target: string }
  | { readonly kind: 'modifier'; readonly name: string; readonly target: string };

export type SpfRecord = { readonly terms: readonly SpfTerm[]; readonly faults: readonly string[] };

/** RFC 7208 section 4.5: `v=spf1` and then a space or the end. `v=spf10` is another version. */
export const isSpf = (text: string) => /^v=spf1(?: |$)/i.test(text);

/** What was meant as an SPF record and is none: receivers pass over it. */
export const looksLikeSpf = (text: string) =>
  !isSpf(text) && /^[\s"'\\\uFEFF]*v\s*=\s*spf1?\b/i.test(text) && !/^spf2\.0/i.test(text);

const mechanisms = new Set(['all', 'include', 'a', 'mx', 'ptr', 'ip4', 'ip6', 'exists']);
const needsTarget = new Set(['include', 'exists', 'ip4', 'ip6']);

/** @param text begins with `v=spf1` */
export function readSpf(text: string): SpfRecord {
  const terms: SpfTerm[] = [];
  const faults: string[] = [];
  for (const word of text.split(/ +/).slice(1)) {
    if (word === '') continue;
    const term = readTerm(word);
    if (typeof term === 'string') faults.push(term);
    else terms.push(term);
  }
  for (const name of ['redirect', 'exp']) {
    if (terms.filter((term) => term.kind === 'modifier' && term.name === name).length > 1) {
      faults.push(`"${name}=" stands there twice`);
    }
  }
  return { terms, faults };
}

function readTerm(word: string): SpfTerm | string {
  const modifier = /^([a-z][\w.-]*)=(.*)$/i.exec(word);
  if (modifier) {
    const [, name = '', target = ''] = modifier;
    const known = name.toLowerCase();
    if (mechanisms.has(known)) return `"${word}" has "=" where ":" must stand`;
    if ((known === 'redirect' || known === 'exp') && target === '') return `"${word}" names no domain`;
    return { kind: 'modifier', name: known, target };
  }
  const [, qualifier = '', name = '', rest = ''] = /^([-+~?]?)([a-z0-9]+)(.*)$/i.exec(word) ?? [];
  const mechanism = name.toLowerCase();
  if (!mechanisms.has(mechanism)) return `"${word}" is no term of SPF`;
  const target = rest.startsWith(':') ? rest.slice(1) : rest;
  if (mechanism === 'all' && rest !== '') return `"${word}" has something after "all"`;
  if (needsTarget.has(mechanism) && (!rest.startsWith(':') || target === ''))
    return `"${word}" names nothing after ":"`;
  if (rest !== '' && !rest.startsWith(':') && !rest.startsWith('/')) return `"${word}" is no term of SPF`;
  const fault = addressFault(mechanism, target) ?? nameFault(mechanism, target);
  return fault
    ? `"${word}" ${fault}`
    : { kind: 'mechanism', qualifier: qualifier || '+', name: mechanism, target };
}

function addressFault(mechanism: string, target: string): string | undefined {
  const [address = '', length] = target.split('/');
  if (mechanism === 'ip4') {
    const isAddress =
      /^(?:\d{1,3}\.){3}\d{1,3}$/.test(address) && address.split('.').every((octet) => +octet < 256);
    return isAddress && isLength(length, 32) ? undefined : 'is no IPv4 address or network';
  }
  if (mechanism === 'ip6') {
    return address.includes(':') && URL.canParse(`http://[${address}]`) && isLength(length, 128)
      ? undefined
      : 'is no IPv6 address or network';
  }
  return undefined;
}

/** A domain of letters, digits, hyphens and underscores, where it has no macros. */
function nameFault(mechanism: string, target: string): string | undefined {
  const name = target.split('/')[0] ?? '';
  if (mechanism.startsWith('ip') || name === '' || name.includes('%')) return undefined;
  return /^(?:[\w-]+\.)+[\w-]+\.?$/.test(name) ? undefined : 'names no domain; a space may be lost';
}

const isLength = (text: string | undefined, most: number) =>
  text === undefined || (/^\d{1,3}$/.test(text) && Number(text) <= most);
