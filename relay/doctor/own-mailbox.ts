// The examination asks for a mail to the sender's own address. A no to that one mailbox is no word about other mail:
// the same rule as for delivery, where a reply to RCPT is about this recipient unless its words are about us.
import { inWords } from '../smtp/failure.ts';
import { judgeWalk } from './conclude.ts';
import type { Walk } from './walk.ts';

/** Takes such a no out of the walk, and returns the note about it; undefined when there is none. */
export function setOwnMailboxAside(walk: Walk, own: string): string | undefined {
  const { failure } = walk;
  if (failure?.stage !== 'rcpt') return undefined;
  const verdict = judgeWalk(walk)?.verdict;
  if (verdict !== 'fail' && verdict !== 'retry') return undefined;
  const says = `no to ${own} alone: ${inWords(failure)}`;
  walk.steps.splice(-1, 1, { stage: 'rcpt', outcome: 'skipped', ms: null, says });
  delete walk.failure;
  return `${walk.route.host} would not take a mail to ${own}, our own sender ("${inWords(failure)}"). Mail to others can leave; answers and reports of failed mail may not arrive there.`;
}
