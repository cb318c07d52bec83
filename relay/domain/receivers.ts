// What the large receivers ask of everybody who sends (Gmail and Yahoo since February 2024, Microsoft since May 2025), as
// far as DNS can tell it. Their replies name the same things, so each answer names the codes to look for.
import type { Check, DomainFinding } from './finding.ts';

export type ReceiverAnswer = {
  readonly receiver: 'Gmail' | 'Yahoo' | 'Outlook.com';
  readonly answer: 'yes' | 'no' | 'unknown';
  readonly says: string;
  /** Replies that follow from what is missing. */
  readonly codes: readonly string[];
};

type State = 'good' | 'bad' | 'unknown';

/** SPF and DKIM are wanted from everybody, DMARC from whoever sends 5,000 a day to them. */
export function receiversSay(findings: readonly DomainFinding[]): ReceiverAnswer[] {
  const [spf, dkim, dmarc, mx] = (['spf', 'dkim', 'dmarc', 'mx'] as const).map((check) =>
    stateOf(findings, check),
  );
  const isGone = findings.some(({ check, result }) => check === 'domain' && result === 'fail');
  const authenticated = both(spf, dkim);
  return [
    {
      receiver: 'Gmail',
      ...told(
        isGone ? 'bad' : either(spf, dkim),
        'SPF or DKIM from everybody; both and DMARC above 5,000 mails a day',
      ),
      codes: ['5.7.26', '4.7.27', '4.7.30', '4.7.31', '4.7.32'],
    },
    {
      receiver: 'Yahoo',
      ...told(
        isGone ? 'bad' : worst(authenticated, mx ?? 'unknown'),
        'SPF and DKIM, and a domain that takes mail',
      ),
      codes: ['5.7.9', '4.7.0'],
    },
    {
      receiver: 'Outlook.com',
      ...told(
        isGone ? 'bad' : worst(authenticated, dmarc ?? 'unknown'),
        'SPF, DKIM and DMARC above 5,000 mails a day',
      ),
      codes: ['5.7.515', '5.7.509', '5.7.23'],
    },
  ];
}

function stateOf(findings: readonly DomainFinding[], check: Check): State {
  const results = findings.filter((finding) => finding.check === check).map(({ result }) => result);
  if (results.includes('fail')) return 'bad';
  return results.length === 0 || results.includes('unknown') ? 'unknown' : 'good';
}

const ranks: readonly State[] = ['bad', 'unknown', 'good'];

const worst = (...states: readonly State[]): State => ranks.find((state) => states.includes(state)) ?? 'good';
const both = (a: State = 'unknown', b: State = 'unknown') => worst(a, b);
const either = (a: State = 'unknown', b: State = 'unknown') =>
  ranks.toReversed().find((state) => a === state || b === state) ?? 'unknown';

function told(state: State, wants: string): Pick<ReceiverAnswer, 'answer' | 'says'> {
  const answer = state === 'good' ? 'yes' : state === 'bad' ? 'no' : 'unknown';
  return { answer, says: `Wants ${wants}.` };
}
