// Whether a report is reason enough to write to an address no more. Anybody who got a mail can write a report about it,
// also about its other readers: so one report counts only where it can come from nobody else.
import { proofOfCause } from '../verdict/address-fault.ts';
import type { Effect } from './match.ts';

export type Evidence = {
  /** When an earlier, other mail to the same address bounced, after or before its 250. */
  readonly bouncedBefore: Date | undefined;
  readonly now: Date;
};

export type Suppression = 'bounce' | 'complaint';

const dayMs = 24 * 60 * 60 * 1000;

/** By cause: only a fault of the recipient itself is one, never a policy, a reputation, the content or a quota. */
export function suppressionFor(effect: Effect, { bouncedBefore, now }: Evidence): Suppression | undefined {
  const { mail, reported } = effect;
  const isItsOwn = mail.recipients.length === 1 && mail.by === 'message-id';
  if (reported.action === 'complaint') return isItsOwn ? 'complaint' : undefined;
  const proof = mayBeFault(effect);
  if (proof === undefined) return undefined;
  const isAgain = bouncedBefore !== undefined && now.getTime() - bouncedBefore.getTime() >= dayMs;
  return isAgain || (isItsOwn && proof === 'once') ? 'bounce' : undefined;
}

/** Whether it is worth a look for an earlier mail that bounced. */
export const mayBeFault = ({ reported }: Effect) =>
  reported.action === 'failed' ? proofOfCause(reported.cause) : undefined;
