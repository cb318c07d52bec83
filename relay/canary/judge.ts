// What a mail to oneself tells once it is back: whether the receiver believed its sender, and where it put it.
import { registeredDomain } from '../domain/dmarc-walk.ts';
import { type Result, worstResult } from '../domain/finding.ts';
import {
  type AuthenticationResult,
  type Method,
  readAuthenticationResults,
} from './authentication-results.ts';

export type Arrival = {
  /** Of the From address; A-labels. */
  readonly domain: string;
  readonly sender: string;
  /** It was sent to the mailbox that is read; else to an address that forwards to it. */
  readonly isOwnMailbox: boolean;
  readonly isJunk: boolean;
  readonly folder: string;
  readonly from: string;
  /** From the top of the header downwards: the last server first. */
  readonly authentication: readonly string[];
  readonly signatures: readonly string[];
};

export type CanaryFinding = {
  readonly check: 'arrival' | 'from' | Method;
  readonly result: Result;
  readonly cause: string;
  readonly title: string;
  readonly fix: string | null;
  readonly evidence: readonly string[];
};

export type CanaryJudgement = {
  readonly result: Result;
  readonly findings: readonly CanaryFinding[];
  readonly selectors: readonly string[];
};

export function judgeArrival(arrival: Arrival): CanaryJudgement {
  const seen = resultsOf(arrival);
  const checks =
    seen.length === 0
      ? [notChecked(arrival)]
      : [ofSpf(arrival, seen), ofDkim(arrival, seen), ofDmarc(arrival, seen)];
  const findings = [...ofArrival(arrival), ...checks];
  return { result: worstResult(findings), findings, selectors: selectorsOf(arrival) };
}

/**
 * What one server says of the mail as it came from the provider: of our own mailbox the last one, of an address that
 * forwards the first one, because to the next servers it is forwarded mail. Everybody who could add such a field to this
 * mail is a server on its way: its token is secret, and it left without one.
 */
function resultsOf({ authentication, isOwnMailbox }: Arrival): AuthenticationResult[] {
  const fields = authentication.map(readAuthenticationResults);
  if (!isOwnMailbox) fields.reverse();
  const results: AuthenticationResult[] = [];
  for (const field of fields) {
    for (const method of ['spf', 'dkim', 'dmarc'] as const) {
      // iCloud writes one field for each check.
      if (!results.some((known) => known.method === method))
        results.push(...field.filter((each) => each.method === method));
    }
  }
  return results;
}

const finding = (
  check: CanaryFinding['check'],
  result: Result,
  cause: string,
  words: Pick<CanaryFinding, 'title'> & Partial<Pick<CanaryFinding, 'fix' | 'evidence'>>,
): CanaryFinding => ({ check, result, cause: `canary-${cause}`, fix: null, evidence: [], ...words });

function ofArrival({ folder, isJunk, from, sender, isOwnMailbox }: Arrival): CanaryFinding[] {
  const place = isJunk
    ? finding('arrival', 'warn', 'junk', {
        title: `It came into the junk folder (${folder}).`,
        fix: isOwnMailbox
          ? 'Mark it as no junk and look at the other findings. One mail to oneself is a hint, not a proof: others judge by themselves.'
          : 'Look at the other findings: a receiver that does not believe the sender puts mail there.',
      })
    : finding('arrival', 'pass', 'inbox', { title: `It came into ${folder}.` });
  if (from === '' || from.toLowerCase() === sender.toLowerCase()) return [place];
  return [
    place,
    finding('from', 'fail', 'from-replaced', {
      title: `It left as ${sender} and came as ${from}: the provider replaces your address.`,
      fix: `Let the provider confirm your domain (its page on sender domains or authentication), or send as ${from}.`,
    }),
  ];
}

const notChecked = ({ isOwnMailbox }: Arrival): CanaryFinding =>
  finding('dmarc', 'unknown', 'not-checked', {
    title: 'The server that took it says nothing of SPF, DKIM and DMARC.',
    fix: isOwnMailbox
      ? 'That is usual for mail that stays at one provider. Name an address at another provider in CANARY_TO that forwards to this mailbox: Gmail and Outlook.com write down what they see.'
      : null,
  });

function ofSpf({ domain }: Arrival, results: readonly AuthenticationResult[]): CanaryFinding {
  const [spf] = results.filter(({ method }) => method === 'spf');
  if (spf === undefined || spf.result === 'none') {
    return finding('spf', 'note', 'spf-none', { title: 'The receiver found no SPF record.', ...said(spf) });
  }
  if (spf.result !== 'pass') {
    return finding('spf', isUndecided(spf.result) ? 'unknown' : 'warn', 'spf-failed', {
      title: `SPF: ${spf.result}. The receiver does not find the provider's server in the record.`,
      fix: `Put the provider's include into the SPF record of ${domain}; the findings of DNS name it.`,
      ...said(spf),
    });
  }
  const from = spf.properties.get('smtp.mailfrom') ?? spf.properties.get('smtp.mail') ?? '';
  return isAligned(from.slice(from.lastIndexOf('@') + 1), domain)
    ? finding('spf', 'pass', 'spf-passed', { title: 'SPF: pass, for your domain.', ...said(spf) })
    : finding('spf', 'note', 'spf-not-aligned', {
        title: `SPF: pass, but for ${from || 'another domain'}, so DMARC counts on DKIM alone.`,
        ...said(spf),
      });
}

function ofDkim({ domain }: Arrival, results: readonly AuthenticationResult[]): CanaryFinding {
  const all = results.filter(({ method }) => method === 'dkim');
  const passed = all.filter(({ result }) => result === 'pass');
  const mine = passed.find((each) => isAligned(signerOf(each), domain));
  if (mine)
    return finding('dkim', 'pass', 'dkim-passed', { title: 'DKIM: pass, for your domain.', ...said(mine) });
  if (passed[0]) {
    return finding('dkim', 'warn', 'dkim-not-aligned', {
      title: `DKIM: pass, but the signature is that of ${signerOf(passed[0]) || 'another domain'}.`,
      fix: `Switch on DKIM for ${domain} at the provider: until then it signs with a domain of its own.`,
      ...said(passed[0]),
    });
  }
  const failed = all.find(({ result }) => result !== 'none');
  if (failed) {
    return finding('dkim', isUndecided(failed.result) ? 'unknown' : 'warn', 'dkim-failed', {
      title: `DKIM: ${failed.result}. The signature does not fit the key in DNS, or the mail was changed on the way.`,
      fix: `Compare the key in DNS with the one the provider shows for ${domain}.`,
      ...said(failed),
    });
  }
  return finding('dkim', 'warn', 'dkim-missing', {
    title: 'The mail has no DKIM signature.',
    fix: `Switch on DKIM for ${domain} at the provider.`,
    ...said(all[0]),
  });
}

function ofDmarc({ domain }: Arrival, results: readonly AuthenticationResult[]): CanaryFinding {
  const [dmarc] = results.filter(({ method }) => method === 'dmarc');
  if (dmarc === undefined) {
    return finding('dmarc', 'note', 'dmarc-unsaid', { title: 'The receiver says nothing of DMARC.' });
  }
  switch (dmarc.result) {
    case 'pass':
      return finding('dmarc', 'pass', 'dmarc-passed', { title: 'DMARC: pass.', ...said(dmarc) });
    // Outlook.com: there is no record, and with one it would pass.
    case 'bestguesspass':
    case 'none':
      return finding('dmarc', 'note', 'dmarc-none', {
        title: `The receiver found no DMARC record for ${domain}.`,
        fix: 'Publish the record that the findings of DNS name.',
        ...said(dmarc),
      });
    case 'temperror':
      return finding('dmarc', 'unknown', 'dmarc-temperror', { title: 'DMARC: temperror.', ...said(dmarc) });
    default:
      return finding('dmarc', 'fail', 'dmarc-failed', {
        title: `DMARC: ${dmarc.result}. Receivers may refuse such mail or put it into the junk folder.`,
        fix: `Let SPF or DKIM pass for ${domain}: see the findings above.`,
        ...said(dmarc),
      });
  }
}

/** DNS had a bad minute: no verdict. */
const isUndecided = (result: string): boolean => result === 'temperror';

const said = (result: AuthenticationResult | undefined): Pick<CanaryFinding, 'evidence'> => ({
  evidence: result ? [result.words.slice(0, 300)] : [],
});

/** Gmail and Yahoo tell only `header.i`. */
function signerOf({ properties }: AuthenticationResult): string {
  const signer = properties.get('header.d') ?? properties.get('header.i') ?? '';
  return signer.slice(signer.lastIndexOf('@') + 1).toLowerCase();
}

/** Relaxed: within one registered domain (RFC 9989 section 4.4). */
const isAligned = (one: string, other: string): boolean =>
  one !== '' && registeredDomain(one.toLowerCase()) === registeredDomain(other);

/** Of the signatures of this domain. */
function selectorsOf({ signatures, domain }: Arrival): string[] {
  const selectors = signatures.flatMap((signature) => {
    const tag = (name: string) =>
      new RegExp(`(?:^|;)\\s*${name}\\s*=\\s*([^;\\s]+)`).exec(signature)?.[1]?.toLowerCase();
    const selector = tag('s');
    return selector !== undefined && tag('d') === domain ? [selector] : [];
  });
  return [...new Set(selectors)].slice(0, 10);
}
