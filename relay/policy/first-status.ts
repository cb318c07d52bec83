// Where a recipient starts: waiting for a connection, held until there is a provider, or kept here for good.
import type { RelayEnvironment } from '../../deploy/environment.ts';
import { type Status, statuses } from '../client/vocabulary.ts';

export type FirstStatus = {
  readonly status: Extract<Status, 'queued' | 'held' | 'captured'>;
  /** A cause slug and the same in words; only for `held`. */
  readonly reason: string | null;
  readonly reasonDetail: string | null;
};

export type DeliveryRules = Pick<
  RelayEnvironment,
  'deliveryMode' | 'deliveryAllowlist' | 'providers' | 'missing' | 'problems'
>;

const queued: FirstStatus = { status: 'queued', reason: null, reasonDetail: null };
const captured: FirstStatus = { status: 'captured', reason: null, reasonDetail: null };

/** Decided once at the start, asked for every recipient. */
export function firstStatusBy(rules: DeliveryRules): (address: string) => FirstStatus {
  const outward = rules.providers.length > 0 ? queued : notConfigured(rules);
  if (rules.deliveryMode === 'capture') return () => captured;
  if (rules.deliveryMode === 'allowlist') {
    return (address) => (isListed(address, rules.deliveryAllowlist) ? outward : captured);
  }
  return () => outward;
}

/** What a mail as a whole shows: the first of its recipients' statuses in the order of precedence. */
export function statusOfAll(recipients: readonly FirstStatus[]): FirstStatus {
  const [first = queued] = recipients.toSorted(
    (a, b) => statuses.indexOf(a.status) - statuses.indexOf(b.status),
  );
  return first;
}

function notConfigured({ missing, problems }: DeliveryRules): FirstStatus {
  const wrong = problems.filter(({ severity }) => severity === 'problem').map(({ variable }) => variable);
  const detail =
    missing.length > 0
      ? `Missing: ${missing.join(', ')}`
      : `No provider is configured correctly; check ${[...new Set(wrong)].join(', ')}`;
  return { status: 'held', reason: 'not-configured', reasonDetail: detail };
}

function isListed(address: string, allowlist: readonly string[]): boolean {
  const wanted = address.toLowerCase();
  const domain = wanted.slice(wanted.lastIndexOf('@'));
  return allowlist.some((entry) => {
    const listed = entry.toLowerCase();
    return listed === '*' || listed === wanted || listed === domain || listed === `*${domain}`;
  });
}
