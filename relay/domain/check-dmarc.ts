// DMARC of a sender's domain: which record applies, whether receivers can read it, and whether mail of this provider can
// align with it.
import { type Lookup, recordsOf } from './answer.ts';
import { type DmarcRecord, isDmarc, looksLikeDmarc, readDmarc } from './dmarc-record.ts';
import { type DmarcWalk, registeredDomain, walkDmarc } from './dmarc-walk.ts';
import { type DomainFinding, finding, shown } from './finding.ts';
import type { Publishing } from './publishing.ts';

/** Asks DNS; never rejects. */
export async function checkDmarc(publishing: Publishing, lookup: Lookup): Promise<DomainFinding[]> {
  const { domain } = publishing;
  const own = await lookup.txt(`_dmarc.${domain}`);
  const texts = recordsOf(own);
  const records = texts.filter(isDmarc);
  if (records.length > 1) return [doubled(publishing, records)];
  const walk = await walkDmarc(domain, lookup);
  const [applying] = walk.records;
  if (applying === undefined) {
    if (own.kind === 'unknown' || walk.unknown !== undefined) return [unanswered(domain, walk.unknown)];
    return missing(publishing, texts, lookup);
  }
  // A record further up does not count while the nearer one could not be asked for.
  if (own.kind === 'unknown') return [unanswered(domain, walk.unknown)];

  const record = readDmarc(applying.text);
  const at = `_dmarc.${applying.domain}`;
  const evidence = [shown('TXT', at, applying.text)];
  const found = [
    ...readable(publishing, record, at, evidence),
    ...aligning(publishing, record, walk, evidence),
    ...(await reports(publishing, record, applying.domain, evidence, lookup)),
  ];
  if (found.some(({ result }) => result !== 'note')) return found;
  return [...found, good(publishing, record, applying.domain, evidence)];
}

const unanswered = (domain: string, why: string | undefined) =>
  finding('dmarc', 'unknown', 'dmarc-unknown', {
    title: `DNS did not answer for the DMARC record of ${domain}${why ? `: ${why}` : ''}.`,
    fix: 'Nothing is known to be wrong. It is asked again.',
  });

const suggested = (domain: string) => `v=DMARC1; p=none; rua=mailto:dmarc@${domain}`;

function doubled({ domain, zone, txt, where }: Publishing, records: readonly string[]): DomainFinding {
  const name = `_dmarc.${domain}`;
  return finding('dmarc', 'fail', 'dmarc-doubled', {
    title: `${domain} has ${records.length} DMARC records. Receivers then use none of them.`,
    fix: `Leave exactly one ${where}, for example this one. Delete the others.`,
    record: txt(name, records[0] ?? suggested(zone)),
    evidence: records.map((text) => shown('TXT', name, text)),
  });
}

async function missing(
  { domain, zone, txt, where }: Publishing,
  texts: readonly string[],
  lookup: Lookup,
): Promise<DomainFinding[]> {
  // A record at the organisation covers every name below it.
  const name = `_dmarc.${zone}`;
  const record = txt(name, suggested(zone));
  const near = texts.find(looksLikeDmarc);
  if (near !== undefined) {
    return [
      finding('dmarc', 'fail', 'dmarc-misspelt', {
        title: `The text at _dmarc.${domain} is meant as a DMARC record and is none: it must begin with exactly "v=DMARC1;".`,
        fix: `Put this record in its place ${where}.`,
        record: txt(`_dmarc.${domain}`, suggested(zone)),
        evidence: [shown('TXT', `_dmarc.${domain}`, near)],
      }),
    ];
  }
  const doubledName = `_dmarc.${domain}.${zone}`;
  const [apex, appended] = await Promise.all([lookup.txt(domain), lookup.txt(doubledName)]);
  const misplaced = recordsOf(apex).find(isDmarc);
  if (misplaced !== undefined) {
    return [
      finding('dmarc', 'fail', 'dmarc-at-the-domain-itself', {
        title: `The DMARC record stands at ${domain} itself. Receivers look for it at _dmarc.${domain}.`,
        fix: `Publish it under the name _dmarc ${where}, and delete it where it stands.`,
        record: txt(`_dmarc.${domain}`, misplaced),
        evidence: [shown('TXT', domain, misplaced)],
      }),
    ];
  }
  const twice = recordsOf(appended).find(isDmarc);
  if (twice !== undefined) {
    return [
      finding('dmarc', 'fail', 'dmarc-name-doubled', {
        title: `The DMARC record stands at ${doubledName}: the panel has added the domain to a name that had it.`,
        fix: `Type only what is named as host here ${where}.`,
        record: txt(`_dmarc.${domain}`, twice),
        evidence: [shown('TXT', doubledName, twice)],
      }),
    ];
  }
  return [
    finding('dmarc', 'fail', 'dmarc-missing', {
      title: `${domain} has no DMARC record. Gmail, Yahoo and Microsoft want one from whoever sends much.`,
      fix: `Publish this record ${where}. "p=none" changes nothing for your mail; the reports arrive at the address after "rua".`,
      record,
    }),
  ];
}

function readable(
  { where, txt, zone }: Publishing,
  { policy, faults, reportsTo, obsolete, isTest }: DmarcRecord,
  at: string,
  evidence: readonly string[],
): DomainFinding[] {
  const found: DomainFinding[] = [];
  if (policy === undefined && reportsTo.length === 0) {
    found.push(
      finding('dmarc', 'fail', 'dmarc-without-policy', {
        title: `The DMARC record at ${at} has no policy that receivers know, so it counts as none.`,
        fix: `Put this record in its place ${where}.`,
        record: txt(at, suggested(zone)),
        evidence,
      }),
    );
  } else if (faults.length > 0) {
    found.push(
      finding('dmarc', 'warn', 'dmarc-broken', {
        title: `The DMARC record at ${at} has faults: ${faults.slice(0, 3).join('; ')}.`,
        fix: 'Correct them: some receivers read past such faults, others ignore the whole record.',
        evidence,
      }),
    );
  }
  if (obsolete.length > 0) {
    const tags = obsolete.map((tag) => `"${tag}"`).join(' and ');
    found.push(
      finding('dmarc', 'note', 'dmarc-obsolete', {
        title: `The DMARC record at ${at} has ${tags}, which RFC 9989 took out in 2026. Receivers ignore it.`,
        fix: 'Take it out. For a gentle step towards a stricter policy there is "t=y".',
        evidence,
      }),
    );
  }
  if (isTest) {
    found.push(
      finding('dmarc', 'note', 'dmarc-test', {
        title: `The DMARC record at ${at} is marked as a test ("t=y"): receivers apply one step less than its policy.`,
        fix: 'Remove "t=y" when the reports look right.',
        evidence,
      }),
    );
  }
  return found;
}

function aligning(
  { domain, provider, txt, where }: Publishing,
  { isStrict }: DmarcRecord,
  { organisation, registered, records }: DmarcWalk,
  evidence: readonly string[],
): DomainFinding[] {
  const found: DomainFinding[] = [];
  if (provider?.mailFrom === 'below' && isStrict.spf && isStrict.dkim) {
    found.push(
      finding('dmarc', 'warn', 'dmarc-strict', {
        title: `${provider.name} sends from a domain below ${domain}, and the DMARC record wants exactly the same domain ("aspf=s", "adkim=s").`,
        fix: 'Remove "aspf=s". "adkim=s" may stay when the provider signs as exactly this domain.',
        evidence,
      }),
    );
  }
  if (organisation !== registered && records.every((record) => record.domain !== registered)) {
    found.push(
      finding('dmarc', 'warn', 'dmarc-only-below', {
        title: `${registered} has no DMARC record, only ${organisation} has. Newer receivers (RFC 9989) then do not take a signature of ${registered} for one of ${domain}.`,
        fix: `Publish a record at ${registered} as well ${where}.`,
        record: txt(`_dmarc.${registered}`, suggested(registered)),
        evidence,
      }),
    );
  }
  return found;
}

async function reports(
  { domain, txt, where }: Publishing,
  { reportsTo, policy }: DmarcRecord,
  at: string,
  evidence: readonly string[],
  lookup: Lookup,
): Promise<DomainFinding[]> {
  if (reportsTo.length === 0) {
    return policy === undefined
      ? []
      : [
          finding('dmarc', 'note', 'dmarc-without-reports', {
            title: `The DMARC record of ${domain} names nobody for reports ("rua"), so nobody hears of mail that fails.`,
            fix: `Add rua=mailto:NAME@${registeredDomain(domain)} to it.`,
            evidence,
          }),
        ];
  }
  const foreign = [...new Set(reportsTo.map((address) => address.split('@')[1]?.toLowerCase() ?? ''))].filter(
    (host) => registeredDomain(host) !== registeredDomain(at),
  );
  const found: DomainFinding[] = [];
  for (const host of foreign.slice(0, 3)) {
    const name = `${at}._report._dmarc.${host}`;
    const answer = await lookup.txt(name);
    // RFC 9990: without this record over there no report is sent.
    if (answer.kind !== 'unknown' && !recordsOf(answer).some(isDmarc)) {
      found.push(
        finding('dmarc', 'note', 'dmarc-reports-not-wanted', {
          title: `DMARC reports of ${domain} go to ${host}, which does not say that it takes them. They are not sent.`,
          fix: `Whoever runs ${host} must publish this record, or name an address of your own domain ${where}.`,
          record: { ...txt(name, 'v=DMARC1'), host: name },
          evidence,
        }),
      );
    }
  }
  return found;
}

function good(
  { domain }: Publishing,
  { policy = 'none', subdomainPolicy }: DmarcRecord,
  at: string,
  evidence: readonly string[],
): DomainFinding {
  const applied = at === domain ? policy : (subdomainPolicy ?? policy);
  const inherited = at === domain ? '' : `, from the record of ${at}`;
  return finding('dmarc', 'pass', 'dmarc-good', {
    title: `DMARC of ${domain} is in place: policy "${applied}"${inherited}.`,
    fix:
      applied === 'none'
        ? 'Nothing to do now. When the reports show for some weeks that all of your mail passes, "p=quarantine" keeps others from using your name.'
        : null,
    evidence,
  });
}
