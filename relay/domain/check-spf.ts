// SPF of a sender's domain: whether there is exactly one record, whether receivers can read all of it, and whether the
// provider that hands our mail on is in it.
import { type Lookup, recordsOf } from './answer.ts';
import { type DomainFinding, finding, shown } from './finding.ts';
import type { Publishing } from './publishing.ts';
import { isSpf, looksLikeSpf, readSpf, type SpfRecord } from './spf-record.ts';
import { mostLookups, mostVoidLookups, type SpfTree, walkSpf } from './spf-tree.ts';

/** Asks DNS; never rejects. */
export async function checkSpf(publishing: Publishing, lookup: Lookup): Promise<DomainFinding[]> {
  const { domain, provider } = publishing;
  const answer = await lookup.txt(domain);
  if (answer.kind === 'unknown') {
    return [
      finding('spf', 'unknown', 'spf-unknown', {
        title: `DNS did not answer for the SPF record of ${domain}: ${answer.why}.`,
        fix: 'Nothing is known to be wrong. It is asked again; if this stays, ask whoever runs the name servers.',
      }),
    ];
  }
  const texts = recordsOf(answer);
  const records = texts.filter(isSpf);
  const [text] = records;
  const matters = provider === undefined || provider.mailFrom === 'own';
  if (text === undefined) return [...missing(publishing, matters), ...misspelt(publishing, texts)];
  if (records.length > 1) return [doubled(publishing, records)];

  const record = readSpf(text);
  const tree = await walkSpf(domain, record.terms, lookup);
  const evidence = [shown('TXT', domain, text)];
  const found = [
    ...broken(publishing, record, tree, evidence),
    // What cannot be read says nothing about what is missing in it.
    ...(record.faults.length > 0 ? [] : ending(publishing, record, tree, text, evidence)),
    ...(matters && record.faults.length === 0 ? inclusion(publishing, record, tree, text, evidence) : []),
  ];
  if (found.some(({ result }) => result !== 'note')) return found;
  return [
    ...found,
    finding('spf', 'pass', matters ? 'spf-good' : 'spf-not-needed', {
      title: matters
        ? `SPF of ${domain} is one record that receivers can read${provider ? `, and ${provider.name} is in it` : ''}.`
        : `${provider?.name} sends under a domain of its own, so SPF of ${domain} does not count for its mail; DKIM does.`,
      evidence: [...evidence, `${tree.lookups} of ${mostLookups} lookups`],
    }),
  ];
}

function missing({ domain, provider, txt, where }: Publishing, matters: boolean): DomainFinding[] {
  if (!matters) {
    return [
      finding('spf', 'pass', 'spf-not-needed', {
        title: `${provider?.name} sends under a domain of its own: ${domain} needs no SPF record for it.`,
      }),
    ];
  }
  const value = `v=spf1 ${provider ? `include:${provider.spf[0]} ` : ''}~all`;
  return [
    finding('spf', 'fail', 'spf-missing', {
      title: `${domain} has no SPF record.`,
      fix: provider
        ? `Publish this TXT record ${where}. If other services send for ${domain} too, add theirs before "~all".`
        : `Ask the provider which "include:" it wants, and publish one TXT record with it ${where}.`,
      record: provider ? txt(domain, value) : null,
    }),
  ];
}

function misspelt({ domain }: Publishing, texts: readonly string[]): DomainFinding[] {
  const near = texts.find(looksLikeSpf);
  if (near === undefined) return [];
  return [
    finding('spf', 'fail', 'spf-misspelt', {
      title: `${domain} has a TXT record that is meant as SPF and is none: it must begin with exactly "v=spf1 ".`,
      fix: 'Remove what stands before it (quotes, spaces), and write "v=spf1" without a space inside.',
      evidence: [shown('TXT', domain, near)],
    }),
  ];
}

/** Two records are an error for every receiver (RFC 7208 section 4.5), so one with the terms of both is named. */
function doubled({ domain, txt, where }: Publishing, records: readonly string[]): DomainFinding {
  const words = records.flatMap((text) => text.split(/ +/).slice(1)).filter((word) => word !== '');
  const all = words.findLast((word) => /^[-+~?]?all$/i.test(word)) ?? '~all';
  const others = [...new Set(words.filter((word) => !/^[-+~?]?all$/i.test(word)))];
  return finding('spf', 'fail', 'spf-doubled', {
    title: `${domain} has ${records.length} SPF records. Receivers then use none of them.`,
    fix: `Leave exactly one ${where}: this one has the terms of all of them. Delete the others.`,
    record: txt(domain, ['v=spf1', ...others, all].join(' ')),
    evidence: records.map((text) => shown('TXT', domain, text)),
  });
}

function broken(
  { domain }: Publishing,
  { faults }: SpfRecord,
  tree: SpfTree,
  evidence: readonly string[],
): DomainFinding[] {
  const found: DomainFinding[] = [];
  const all = [...faults, ...tree.faults];
  if (all.length > 0) {
    found.push(
      finding('spf', 'fail', 'spf-broken', {
        title: `Receivers cannot read the SPF record of ${domain}: ${all.slice(0, 3).join('; ')}.`,
        fix: 'Correct or remove these terms. A single one of them makes the whole record count as an error.',
        evidence,
      }),
    );
  }
  if (tree.lookups > mostLookups) {
    const dear = [...tree.reached].sort(([, a], [, b]) => b - a).slice(0, 3);
    const costs = dear.map(([name, lookups]) => `${name} (${lookups})`).join(', ');
    found.push(
      finding('spf', 'fail', 'spf-too-many-lookups', {
        title: `The SPF record of ${domain} needs ${tree.lookups} lookups; receivers give up after ${mostLookups}.`,
        fix: `Remove services that no longer send for ${domain}. The most expensive: ${costs || 'none of the includes'}.`,
        evidence,
      }),
    );
  }
  if (tree.voids > mostVoidLookups) {
    found.push(
      finding('spf', 'warn', 'spf-void-lookups', {
        title: `${tree.voids} names in the SPF record of ${domain} do not exist; many receivers give up after ${mostVoidLookups}.`,
        fix: 'Remove the terms whose names have no records any more.',
        evidence,
      }),
    );
  }
  if (tree.unknown.length > 0 && found.length === 0) {
    found.push(
      finding('spf', 'unknown', 'spf-unknown', {
        title: `Not all of the SPF record of ${domain} could be followed: ${tree.unknown.slice(0, 3).join('; ')}.`,
        fix: 'Nothing is known to be wrong. It is asked again.',
        evidence,
      }),
    );
  }
  return found;
}

function ending(
  { domain, txt }: Publishing,
  { terms }: SpfRecord,
  tree: SpfTree,
  text: string,
  evidence: readonly string[],
): DomainFinding[] {
  const at = terms.findIndex((term) => term.kind === 'mechanism' && term.name === 'all');
  const all = terms[at];
  const found: DomainFinding[] = [];
  if (all?.kind === 'mechanism' && all.qualifier === '+') {
    found.push(
      finding('spf', 'fail', 'spf-allows-everybody', {
        title: `"+all" in the SPF record of ${domain} lets everybody send in its name.`,
        fix: 'Put "~all" in its place.',
        record: txt(domain, text.replace(/ \+?all\b/i, ' ~all')),
        evidence,
      }),
    );
  }
  const behind =
    at < 0 ? [] : terms.slice(at + 1).filter((term) => term.kind === 'mechanism' || term.name === 'redirect');
  if (behind.length > 0) {
    found.push(
      finding('spf', 'warn', 'spf-terms-after-all', {
        title: `In the SPF record of ${domain} terms stand behind "all"; receivers never read them.`,
        fix: 'Move "all" to the end.',
        evidence,
      }),
    );
  }
  const redirects = terms.some((term) => term.kind === 'modifier' && term.name === 'redirect');
  if (at < 0 && !redirects && tree.faults.length === 0) {
    found.push(
      finding('spf', 'note', 'spf-without-end', {
        title: `The SPF record of ${domain} says nothing about everybody else: "~all" is missing at its end.`,
        fix: 'Add "~all" at the end.',
        record: txt(domain, `${text.trim()} ~all`),
        evidence,
      }),
    );
  }
  if (terms.some((term) => term.kind === 'mechanism' && term.name === 'ptr')) {
    found.push(
      finding('spf', 'note', 'spf-uses-ptr', {
        title: `The SPF record of ${domain} uses "ptr", which the standard advises against.`,
        fix: 'Name the addresses or the include of that service in its place.',
        evidence,
      }),
    );
  }
  return found;
}

function inclusion(
  { domain, provider, txt, where }: Publishing,
  { terms }: SpfRecord,
  tree: SpfTree,
  text: string,
  evidence: readonly string[],
): DomainFinding[] {
  if (provider === undefined || provider.spf.length === 0) return [];
  if (provider.spf.some((name) => tree.reached.has(name) || includesItself(terms, name))) return [];
  // What was not followed may lead there.
  if (tree.unknown.length > 0 || tree.hasMacros || tree.faults.length > 0) return [];
  const include = `include:${provider.spf[0]}`;
  const value = /[ ][-+~?]?all\b|[ ]redirect=/i.test(text)
    ? text.replace(/ (?=[-+~?]?all\b|redirect=)/i, ` ${include} `)
    : `${text.trim()} ${include} ~all`;
  return [
    finding('spf', 'fail', 'spf-without-provider', {
      title: `The SPF record of ${domain} does not name ${provider.name}, which hands our mail on.`,
      fix: `Put this record in the place of the one that stands ${where}.`,
      record: txt(domain, value),
      evidence,
    }),
  ];
}

/** An include whose record could not be read is no fault of its place here. */
const includesItself = (terms: SpfRecord['terms'], name: string) =>
  terms.some(
    (term) => (term.name === 'include' || term.name === 'redirect') && term.target.toLowerCase() === name,
  );
