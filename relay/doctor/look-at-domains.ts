// `npm run doctor -- --domain`: what DNS says of the domains that this environment sends from.
import { randomUUID } from 'node:crypto';
import { describeDomain } from '../domain/describe-domain.ts';
import { type DomainExamination, examineDomain } from '../domain/examine-domain.ts';
import { openLookup } from '../domain/lookup.ts';
import { domainIn, type SendingDomain, sendingDomains } from '../domain/sending-domains.ts';
import { providerOf } from '../verdict/providers.ts';
import type { SettingsReading } from './settings.ts';

/**
 * @param wanted domains from the command line; empty for those of the senders
 * @returns what to print, and whether nothing fails
 */
export async function lookAtDomains(
  { from, providers, dnsResolvers }: SettingsReading['environment'],
  wanted: readonly string[],
  { json, colour }: { json: boolean; colour: boolean },
): Promise<{ text: string; ok: boolean }> {
  const known = sendingDomains(from?.email, providers);
  const domains =
    wanted.length === 0 ? known : wanted.map((name) => domainNamed(name, known, providers[0]?.host));
  if (domains.length === 0) {
    const text =
      'No sender is known. Set SMTP_FROM_EMAIL, or name a domain: npm run doctor -- --domain example.com\n';
    return { text: json ? `${JSON.stringify({ ok: false, domains: [] })}\n` : text, ok: false };
  }
  const examinations: DomainExamination[] = [];
  for (const { domain, host } of domains) {
    const lookup = openLookup({ resolvers: dnsResolvers });
    const providerId = host === undefined ? undefined : providerOf(undefined, host, '')?.id;
    examinations.push(await examineDomain({ domain, providerId, unusedLabel: randomUUID() }, lookup));
  }
  const ok = examinations.every(({ result }) => result !== 'fail');
  const text = json
    ? `${JSON.stringify({ ok, domains: examinations }, null, 2)}\n`
    : examinations.map((examination) => describeDomain(examination, { colour })).join('\n');
  return { text, ok };
}

/** A domain that is no sender's yet would leave by the first provider. */
function domainNamed(name: string, known: readonly SendingDomain[], host: string | undefined): SendingDomain {
  const domain = domainIn(name) || name;
  return known.find((each) => each.domain === domain) ?? { domain, host };
}
