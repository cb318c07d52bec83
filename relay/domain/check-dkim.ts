// DKIM keys of a sender's domain. Selectors cannot be listed: those of the provider are asked, those that a received mail
// showed, and then the usual ones. Finding none proves something only where the provider's selectors are known.
import { type Answer, type Lookup, recordsOf } from './answer.ts';
import { type DkimKey, readDkimKey } from './dkim-key.ts';
import { type DomainFinding, finding, shown } from './finding.ts';
import { usualSelectors } from './provider-dns.ts';
import type { Publishing } from './publishing.ts';

/** RFC 8301: receivers ignore less than 1024; Gmail and Microsoft say 2048 is what to use. */
const fewestBits = 1024;
const goodBits = 2048;

type Seen = {
  readonly selector: string;
  readonly name: string;
  readonly text: string;
  readonly key: DkimKey;
};

export type DkimQuestion = {
  /** Selectors that a mail which came back was signed with, for this domain. */
  readonly seenSelectors: readonly string[];
  /** A label that nobody uses: a zone that answers it answers everything. */
  readonly unusedLabel: string;
};

/** Asks DNS; never rejects. */
export async function checkDkim(
  publishing: Publishing,
  { seenSelectors, unusedLabel }: DkimQuestion,
  lookup: Lookup,
): Promise<DomainFinding[]> {
  const { domain, provider } = publishing;
  const below = `_domainkey.${domain}`;
  const anything = await lookup.txt(`${unusedLabel}.${below}`);
  if (recordsOf(anything).some((text) => readDkimKey(text) !== undefined)) return [wildcard(domain, below)];

  const first = [...new Set([...seenSelectors, ...(provider?.selectors ?? [])])];
  const expected = await ask(first, below, lookup);
  if (expected.seen.length > 0) return judgeKeys(publishing, expected.seen);
  const dangling = await findDangling(first, below, lookup);
  if (expected.unknown !== undefined) return [unanswered(domain, expected.unknown)];
  if (dangling) return [notSwitchedOn(publishing, dangling)];

  // NXDOMAIN for the name above proves that no selector exists (RFC 8020), and saves the other questions.
  const above = await lookup.txt(below);
  const isEmpty = above.kind === 'absent' && !above.nameExists;
  const others = isEmpty ? { seen: [], unknown: undefined } : await ask(usualSelectors, below, lookup);
  if (others.seen.length > 0 && first.length === 0) return judgeKeys(publishing, others.seen);
  if (provider !== undefined && provider.selectors.length > 0)
    return [missing(publishing, others.seen, first)];
  if (isEmpty) return [none(publishing)];
  if (others.unknown !== undefined) return [unanswered(domain, others.unknown)];
  return [
    finding('dkim', 'unknown', 'dkim-not-found-by-guessing', {
      title: `No DKIM key of ${domain} stands under a usual name; ${provider ? `${provider.name} uses a name of its own for each domain` : 'the provider may use another'}.`,
      fix: `Compare with what the provider shows${provider ? ` (${provider.dkimWhere})` : ''}. A mail that you send to a mailbox elsewhere shows the name after "s=" in its DKIM-Signature.`,
    }),
  ];
}

async function ask(selectors: readonly string[], below: string, lookup: Lookup) {
  const seen: Seen[] = [];
  let unknown: string | undefined;
  const answers = await Promise.all(
    selectors.map(
      async (selector): Promise<[string, Answer<string>]> => [
        selector,
        await lookup.txt(`${selector}.${below}`),
      ],
    ),
  );
  for (const [selector, answer] of answers) {
    if (answer.kind === 'unknown') unknown ??= answer.why;
    for (const text of recordsOf(answer)) {
      const key = readDkimKey(text);
      if (key) seen.push({ selector, name: `${selector}.${below}`, text, key });
    }
  }
  return { seen, unknown };
}

/** One good key is enough: providers keep a second one that is empty or old, to change them. */
function judgeKeys(publishing: Publishing, seen: readonly Seen[]): DomainFinding[] {
  const { domain } = publishing;
  const evidence = seen.map(({ name, text }) => shown('TXT', name, text));
  const keys = seen.flatMap(({ key, selector }) => (key.kind === 'key' ? [{ ...key, selector }] : []));
  const good = keys.filter(({ algorithm, bits }) => algorithm === 'ed25519' || bits >= fewestBits);
  const [best] = good.toSorted((a, b) => b.bits - a.bits);
  if (best) {
    const names = good.map(({ selector }) => selector).join(', ');
    if (good.every(({ isTest }) => isTest)) return [testKey(domain, names, evidence)];
    if (best.algorithm === 'rsa' && best.bits < goodBits) return [shortKey(publishing, best, evidence)];
    return [
      finding('dkim', 'pass', 'dkim-good', {
        title: `A DKIM key of ${domain} stands in DNS (${names}, ${best.algorithm === 'rsa' ? `RSA ${best.bits}` : 'Ed25519'}).`,
        evidence,
      }),
    ];
  }
  const [weak] = keys;
  if (weak) {
    return [
      finding('dkim', 'fail', 'dkim-key-too-short', {
        title: `The DKIM key ${weak.selector} of ${domain} has ${weak.bits} bits. Receivers ignore less than ${fewestBits}.`,
        fix: `Make a new key with ${goodBits} bits at the provider and publish it.`,
        evidence,
      }),
    ];
  }
  const broken = seen.find(({ key }) => key.kind === 'broken');
  if (broken?.key.kind === 'broken') {
    return [
      finding('dkim', 'fail', 'dkim-key-broken', {
        title: `The DKIM record ${broken.name} cannot be read: ${broken.key.why}.`,
        fix: `Copy the whole value from the provider again${publishing.provider ? ` (${publishing.provider.dkimWhere})` : ''} and paste it ${publishing.where} without quotes and line breaks. Panels that take at most 255 characters want it in two quoted parts with nothing lost between.`,
        evidence,
      }),
    ];
  }
  return [
    finding('dkim', 'fail', 'dkim-revoked', {
      title: `The DKIM key of ${domain} is revoked: its "p=" is empty.`,
      fix: `Make a new key at the provider${publishing.provider ? ` (${publishing.provider.dkimWhere})` : ''} and publish it.`,
      evidence,
    }),
  ];
}

const testKey = (domain: string, names: string, evidence: readonly string[]) =>
  finding('dkim', 'warn', 'dkim-test-key', {
    title: `The DKIM key of ${domain} (${names}) is marked as a test ("t=y"): receivers may treat its mail as unsigned.`,
    fix: 'Remove "t=y" from the record.',
    evidence,
  });

const shortKey = (
  { domain, provider }: Publishing,
  { selector, bits }: { selector: string; bits: number },
  evidence: readonly string[],
) =>
  finding('dkim', 'note', 'dkim-key-short', {
    title: `The DKIM key ${selector} of ${domain} has ${bits} bits. It works; ${goodBits} are advised.`,
    fix: `Make a key with ${goodBits} bits at the provider${provider ? ` (${provider.dkimWhere})` : ''} when you have the time.`,
    evidence,
  });

const wildcard = (domain: string, below: string) =>
  finding('dkim', 'unknown', 'dkim-wildcard', {
    title: `The zone of ${domain} answers every name below ${below} with the same key, so the right one cannot be told.`,
    fix: 'Replace the wildcard record ("*") by the records that the provider names.',
  });

const unanswered = (domain: string, why: string) =>
  finding('dkim', 'unknown', 'dkim-unknown', {
    title: `DNS did not answer for the DKIM keys of ${domain}: ${why}.`,
    fix: 'Nothing is known to be wrong. It is asked again.',
  });

type Dangling = { readonly name: string; readonly target: string };

async function findDangling(
  selectors: readonly string[],
  below: string,
  lookup: Lookup,
): Promise<Dangling | undefined> {
  for (const selector of selectors) {
    const name = `${selector}.${below}`;
    const [target] = recordsOf(await lookup.cname(name));
    if (target !== undefined) return { name, target };
  }
  return undefined;
}

const notSwitchedOn = ({ domain, provider }: Publishing, { name, target }: Dangling) =>
  finding('dkim', 'fail', 'dkim-not-switched-on', {
    title: `The DKIM record of ${domain} leads to ${target}, where no key stands: DKIM is not switched on at the provider.`,
    fix: provider
      ? `Switch it on: ${provider.dkimWhere}.`
      : 'Switch DKIM on for this domain at the provider, or correct the target.',
    evidence: [shown('CNAME', name, target)],
  });

function missing(
  { domain, provider, where }: Publishing,
  others: readonly Seen[],
  asked: readonly string[],
): DomainFinding {
  const names = asked.map((selector) => `${selector}._domainkey`).slice(0, 4);
  return finding('dkim', 'fail', 'dkim-missing', {
    title:
      others.length > 0
        ? `${domain} has DKIM keys, but none under a name that ${provider?.name} uses (${names.join(', ')}).`
        : `${domain} has no DKIM key for ${provider?.name}.`,
    fix: `Copy the ${provider?.dkim} record from ${provider?.name} (${provider?.dkimWhere}) and publish it ${where}. Its name is usually ${names[0]}. If you chose another name there, a mail that came back shows it.`,
    evidence: others.map(({ name, text }) => shown('TXT', name, text)),
  });
}

const none = ({ domain, provider, where }: Publishing) =>
  finding('dkim', 'fail', 'dkim-missing', {
    title: `${domain} has no DKIM key at all: nothing stands below _domainkey.${domain}.`,
    fix: `Copy the record from the provider${provider ? ` (${provider.dkimWhere})` : ''} and publish it ${where}.`,
  });
