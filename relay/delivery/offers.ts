// What the commits that accept mail may claim, and what they have claimed: it goes on from memory.
import { randomUUID } from 'node:crypto';
import type { ClaimedMail } from '../policy/claimed-mail.ts';
import type { Offering } from '../policy/offer.ts';
import type { Attempts } from './attempt/attempts.ts';
import type { Background } from './background.ts';
import { chooseLane, roomFor } from './choose-lane.ts';
import type { DeliveryContext } from './context.ts';
import type { IdentityWatch } from './identity-watch.ts';
import type { Lane } from './lanes/lane.ts';
import type { Ready } from './ready.ts';
import type { Settle } from './settle.ts';

type Parts = {
  readonly context: DeliveryContext;
  readonly identity: IdentityWatch;
  readonly lanes: readonly Lane[];
  readonly attempts: Attempts;
  readonly settle: Settle;
  readonly background: Background;
};

/** @param added called when something new lies ready */
export function openOffers(parts: Parts, ready: Ready, added: () => void): Offering {
  const { context, identity, lanes, attempts, settle, background } = parts;
  const { instance, timeouts, stopping } = context;
  /** Mails that the commits under way may claim. */
  let offered = 0;

  async function take(mails: readonly ClaimedMail[]): Promise<void> {
    // The commit may have opened a session: then the leases run out, or the mail is held.
    if (!identity.isConfirmed && !(await identity.confirm())) return;
    if (stopping.aborted) {
      await Promise.all(mails.map((mail) => settle.giveBack(mail)));
      return;
    }
    ready.add(mails);
    added();
  }

  return (messages) => {
    const lane = lanes.find(({ isOpen }) => isOpen);
    if (!lane || stopping.aborted || !identity.isConfirmed) return undefined;
    const room = roomFor(lane, { ready: ready.priorities(), offered, usualMs: attempts.usualMs });
    if (room.every((each) => each === 0)) return undefined;
    offered += messages;
    return {
      token: randomUUID(),
      instance,
      leaseMs: timeouts.leaseMs,
      room,
      welcomes(mail) {
        const choice = chooseLane(lanes, mail);
        return choice !== 'none' && 'lane' in choice;
      },
      claimed(mails) {
        offered -= messages;
        if (mails.length > 0) background.follow(take(mails));
      },
    };
  };
}
