// Where the policy of a domain stands, and which domain is its organisational one: the domain within which SPF and DKIM
// align. RFC 9989 finds it by asking up the tree; receivers that still follow RFC 7489 use the list of public suffixes.
import { getDomain } from 'tldts';
import { type Lookup, recordsOf } from './answer.ts';
import { isDmarc, readDmarc } from './dmarc-record.ts';

/** RFC 9989 section 4.10: at most so many questions for one walk. */
const mostSteps = 8;

export type DmarcWalk = {
  /** Domains from the start upwards that have exactly one record, with it. */
  readonly records: readonly { readonly domain: string; readonly text: string }[];
  /** By RFC 9989. */
  readonly organisation: string;
  /** By the list of public suffixes (RFC 7489). */
  readonly registered: string;
  readonly unknown: string | undefined;
};

/** Asks DNS; never rejects. */
export async function walkDmarc(domain: string, lookup: Lookup): Promise<DmarcWalk> {
  const records: { domain: string; text: string }[] = [];
  let unknown: string | undefined;
  let organisation: string | undefined;
  for (const name of stepsOf(domain)) {
    const answer = await lookup.txt(`_dmarc.${name}`);
    if (answer.kind === 'unknown') unknown ??= `_dmarc.${name}: ${answer.why}`;
    const texts = recordsOf(answer).filter(isDmarc);
    const [text] = texts;
    if (text === undefined || texts.length > 1) continue;
    const { psd } = readDmarc(text);
    // A public suffix: the organisation is one label below it, where the walk came through.
    if (psd === 'y') {
      organisation ??= oneBelow(name, domain);
      break;
    }
    records.push({ domain: name, text });
    if (psd === 'n') {
      organisation = name;
      break;
    }
  }
  return {
    records,
    organisation: organisation ?? records.at(-1)?.domain ?? domain,
    registered: registeredDomain(domain),
    unknown,
  };
}

/** The domain that was registered; the name itself where it is a public suffix or unknown. */
export function registeredDomain(domain: string): string {
  return getDomain(domain, { allowPrivateDomains: true }) ?? domain;
}

/** The name itself, then upwards; a name of eight labels or more goes on at seven. */
function stepsOf(domain: string): string[] {
  const labels = domain.split('.');
  const steps = [domain];
  for (let left = Math.min(labels.length - 1, mostSteps - 1); left >= 1; left--) {
    steps.push(labels.slice(-left).join('.'));
  }
  return steps.slice(0, mostSteps);
}

function oneBelow(suffix: string, domain: string): string {
  if (domain === suffix) return domain;
  const labels = domain.slice(0, -suffix.length - 1).split('.');
  return `${labels.at(-1)}.${suffix}`;
}
