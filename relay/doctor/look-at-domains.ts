// `npm run doctor -- --domain`: what DNS says of the domains that this environment sends from.
import { randomUUID } from 'node:crypto';
import type { Database } from '../../deploy/database.ts';
import { type CanaryReport, listCanaries } from '../client/status/canaries.ts';
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
  { json, colour, database }: { json: boolean; colour: boolean; database?: Database | undefined },
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
  const canaries = await knownCanaries(database);
  const canariesOf = (domain: string) => canaries.filter((canary) => canary.domain === domain);
  const ok = examinations.every(({ result }) => result !== 'fail');
  const text = json
    ? `${JSON.stringify({ ok, domains: examinations.map((each) => ({ ...each, canaries: canariesOf(each.domain) })) }, null, 2)}\n`
    : examinations
        .map(
          (each) => describeDomain(each, { colour }) + canariesOf(each.domain).map(describeCanary).join(''),
        )
        .join('\n');
  return { text, ok };
}

/** The relay sends them: without its database nothing is known of them. */
async function knownCanaries(database: Database | undefined): Promise<readonly CanaryReport[]> {
  if (!database) return [];
  const late = new Promise<never>((_, reject) => setTimeout(reject, patienceMs).unref());
  return Promise.race([listCanaries(database), late]).catch(() => []);
}

const patienceMs = 1_500;

function describeCanary(canary: CanaryReport): string {
  const { recipient, queuedAt, state, delaySeconds, findings } = canary;
  const after = delaySeconds === null ? '' : ` after ${delaySeconds.toFixed(1)} s`;
  const lines = [
    `  The test mail of ${queuedAt.toISOString()} to ${recipient}: ${state}${after}`,
    ...findings.flatMap(({ check, result, cause, title, fix, evidence }) => [
      `    ${result.padEnd(8)} ${check.padEnd(7)} ${title}${result === 'pass' ? '' : ` (${cause})`}`,
      ...(fix ? [`                     ${fix}`] : []),
      ...(result === 'pass' ? [] : evidence.map((line) => `                     Receiver: ${line}`)),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** A domain that is no sender's yet would leave by the first provider. */
function domainNamed(name: string, known: readonly SendingDomain[], host: string | undefined): SendingDomain {
  const domain = domainIn(name) || name;
  return known.find((each) => each.domain === domain) ?? { domain, host };
}
