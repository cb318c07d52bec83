// The examination of one sender's domain: everything that DNS tells about whether receivers will trust its mail.
import { type Lookup, recordsOf } from './answer.ts';
import { checkDkim } from './check-dkim.ts';
import { checkDmarc } from './check-dmarc.ts';
import { checkExchangers } from './check-exchangers.ts';
import { checkSpf } from './check-spf.ts';
import { registeredDomain } from './dmarc-walk.ts';
import { zoneEditorOf } from './dns-host.ts';
import { type DomainFinding, finding, type Result, worstResult } from './finding.ts';
import { dnsOf, ownersOf } from './provider-dns.ts';
import { type Publishing, publishingFor } from './publishing.ts';
import { type ReceiverAnswer, receiversSay } from './receivers.ts';

export type DomainExamination = {
  readonly domain: string;
  readonly result: Result;
  readonly findings: readonly DomainFinding[];
  /** What the large receivers ask of senders, as far as DNS can tell. */
  readonly receivers: readonly ReceiverAnswer[];
};

export type DomainQuestion = {
  /** As in a From address; A-labels, lower case. */
  readonly domain: string;
  /** Key of the provider that sends for it; undefined where it is none we know. */
  readonly providerId: string | undefined;
  readonly seenSelectors?: readonly string[];
  /** A label that no zone has. */
  readonly unusedLabel: string;
};

/** Asks DNS; never rejects. */
export async function examineDomain(question: DomainQuestion, lookup: Lookup): Promise<DomainExamination> {
  const { domain, providerId } = question;
  const owners = ownersOf(domain);
  const findings = owners ? [ofMailboxes(domain, owners, providerId)] : await checksOf(question, lookup);
  return { domain, result: worstResult(findings), findings, receivers: receiversSay(findings) };
}

async function checksOf(question: DomainQuestion, lookup: Lookup): Promise<DomainFinding[]> {
  const { domain, providerId, seenSelectors = [], unusedLabel } = question;
  const publishing = await findPublishing(domain, providerId, lookup);
  const exchangers = await checkExchangers(publishing, lookup);
  // Nothing can stand below a name that does not exist.
  if (exchangers.some(({ cause }) => cause === 'domain-not-registered')) return exchangers;
  const checks = await Promise.all([
    checkSpf(publishing, lookup),
    checkDkim(publishing, { seenSelectors, unusedLabel }, lookup),
    checkDmarc(publishing, lookup),
  ]);
  return [...exchangers, ...checks.flat()];
}

/** The zone is the nearest name upwards that has name servers. */
async function findPublishing(
  domain: string,
  providerId: string | undefined,
  lookup: Lookup,
): Promise<Publishing> {
  const registered = registeredDomain(domain);
  let zone = domain;
  for (;;) {
    const servers = recordsOf(await lookup.ns(zone));
    if (servers.length > 0 || zone === registered || !zone.includes('.')) {
      return publishingFor(domain, zone, dnsOf(providerId), zoneEditorOf(zone, servers));
    }
    zone = zone.slice(zone.indexOf('.') + 1);
  }
}

function ofMailboxes(
  domain: string,
  owners: readonly string[],
  providerId: string | undefined,
): DomainFinding {
  if (providerId !== undefined && owners.includes(providerId)) {
    return finding('domain', 'not-applicable', 'domain-of-the-provider', {
      title: `${domain} belongs to the provider itself, which publishes its records.`,
    });
  }
  return finding('domain', 'fail', 'domain-of-another-provider', {
    title: `Only the provider of ${domain} can send mail in its name. Sent through another provider it fails DMARC.`,
    fix: 'Send from a domain of your own, and put the other address into Reply-To.',
  });
}
