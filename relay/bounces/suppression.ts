// Whether a report is reason enough to write to an address no more. Anybody who got a mail can write a report about it,
// also about its other readers: so one report counts only where it can come from nobody else.
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
  const isAgain = bouncedBefore !== undefined && now.getTime() - bouncedBefore.getTime() >= dayMs;
  if (reported.action === 'complaint') return isItsOwn ? 'complaint' : undefined;
  if (reported.action !== 'failed') return undefined;
  if (reported.cause === 'user-unknown' || reported.cause === 'bad-domain') {
    return isItsOwn || isAgain ? 'bounce' : undefined;
  }
  // A mailbox that is closed today may be open tomorrow.
  return reported.cause === 'mailbox-disabled' && isAgain ? 'bounce' : undefined;
}
