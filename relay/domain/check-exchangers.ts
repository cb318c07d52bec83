// Whether the sender's domain exists and takes mail: bounces and answers go there, and many receivers refuse mail from a
// domain that takes none.
import { type Lookup, recordsOf } from './answer.ts';
import { type DomainFinding, finding, shown } from './finding.ts';
import type { Publishing } from './publishing.ts';

/** Asks DNS; never rejects. */
export async function checkExchangers(publishing: Publishing, lookup: Lookup): Promise<DomainFinding[]> {
  const { domain, zone, provider } = publishing;
  const answer = await lookup.mx(domain);
  if (answer.kind === 'unknown') return [unanswered(domain, answer.why)];
  if (answer.kind === 'found') {
    const names = answer.records.map(({ exchange }) => exchange.replace(/\.$/, ''));
    const evidence = answer.records.map(({ exchange, preference }) =>
      shown('MX', domain, `${preference} ${exchange || '.'}`),
    );
    if (names.every((name) => name === '')) return [nullExchanger(publishing, evidence)];
    const isElsewhere =
      provider !== undefined &&
      provider.exchangers.length > 0 &&
      !names.some((name) => provider.exchangers.some((own) => name === own || name.endsWith(`.${own}`)));
    return [
      isElsewhere
        ? finding('mx', 'note', 'mx-elsewhere', {
            title: `Mail to ${domain} does not arrive at ${provider.name}, which sends its mail: bounces and answers are there, not in the mailbox that sends.`,
            fix: 'Nothing to do when this is meant. Delivery reports cannot be read from the mailbox that sends then.',
            evidence,
          })
        : finding('mx', 'pass', 'mx-good', {
            title: `${domain} takes mail: answers and bounces arrive.`,
            evidence,
          }),
    ];
  }
  if (!answer.nameExists && domain !== zone) return [await nameMissing(publishing, lookup)];
  const registered = await lookup.ns(zone);
  if (registered.kind === 'absent' && !registered.nameExists) {
    return [
      finding('domain', 'fail', 'domain-not-registered', {
        title: `${zone} does not exist in DNS: it is not registered, has expired, or is misspelt.`,
        fix: `Look at the spelling in SMTP_FROM_EMAIL and SMTP_ALLOWED_SENDERS first, then at the registrar of ${zone}.`,
      }),
    ];
  }
  const addresses = await lookup.addresses(domain);
  if (addresses.kind === 'unknown') return [unanswered(domain, addresses.why)];
  if (addresses.kind === 'absent') return [takesNoMail(publishing)];
  return [
    finding('mx', 'warn', 'mx-missing', {
      title: `${domain} has no MX record. Mail to it goes to its web server's address, which rarely takes mail.`,
      fix: 'Publish the MX records of the provider where the mailboxes are.',
      evidence: recordsOf(addresses).map((address) => shown('A', domain, address)),
    }),
  ];
}

const unanswered = (domain: string, why: string) =>
  finding('mx', 'unknown', 'mx-unknown', {
    title: `DNS did not answer for the MX records of ${domain}: ${why}.`,
    fix: 'Nothing is known to be wrong. It is asked again.',
  });

const nullExchanger = ({ domain }: Publishing, evidence: readonly string[]) =>
  finding('mx', 'fail', 'mx-null', {
    title: `${domain} says that it takes no mail ("MX 0 ."). Many receivers refuse mail from such a domain.`,
    fix: 'Replace the null MX by the MX records of the provider, or send from a domain that takes mail.',
    evidence,
  });

const takesNoMail = ({ domain }: Publishing) =>
  finding('mx', 'fail', 'mx-missing', {
    title: `${domain} has neither an MX record nor an address. Receivers refuse mail from a domain that they cannot answer.`,
    fix: 'Publish the MX records of the provider where the mailboxes are.',
  });

async function nameMissing(publishing: Publishing, lookup: Lookup): Promise<DomainFinding> {
  const { domain, zone } = publishing;
  const above = await lookup.ns(zone);
  if (above.kind === 'absent' && !above.nameExists) {
    return finding('domain', 'fail', 'domain-not-registered', {
      title: `${zone} does not exist in DNS: it is not registered, has expired, or is misspelt.`,
      fix: `Look at the spelling in SMTP_FROM_EMAIL and SMTP_ALLOWED_SENDERS first, then at the registrar of ${zone}.`,
    });
  }
  return finding('domain', 'fail', 'domain-name-missing', {
    title: `${domain} does not exist in DNS, although ${zone} does.`,
    fix: `Look at the spelling, or publish the MX records of the provider for ${domain}.`,
  });
}
