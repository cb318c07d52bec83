// What waits in the queue, for which lane, and when: claims mail for free connections and starts it.

import type { ClaimedMail, ClaimedRecipient } from '../policy/claimed-mail.ts';
import { firstStatusBy } from '../policy/first-status.ts';
import type { Offering } from '../policy/offer.ts';
import type { Agent } from './attempt/agent.ts';
import type { Attempts } from './attempt/attempts.ts';
import type { Background } from './background.ts';
import { areFull, chooseLane, claimSize, type HeldSender } from './choose-lane.ts';
import type { DeliveryContext } from './context.ts';
import type { IdentityWatch } from './identity-watch.ts';
import type { Lane } from './lanes/lane.ts';
import { openOffers } from './offers.ts';
import { claimDueMail } from './queue/claim.ts';
import { openReady } from './ready.ts';
import type { SenderProbes } from './sender-probes.ts';
import type { Settle } from './settle.ts';

export type Dispatcher = {
  /** Mail may wait in the queue: looks at once. */
  wake(): void;
  /** A connection can take the next mail. */
  freed(): void;
  readonly offer: Offering;
  /** The claims of what lies ready and was not started yet. */
  tokens(): string[];
  readonly hasMail: boolean;
  /** Ends a claim that is under way, and gives everything back that was not started. */
  stop(): Promise<void>;
};

type Parts = {
  readonly context: DeliveryContext;
  readonly identity: IdentityWatch;
  readonly lanes: readonly Lane[];
  readonly agent: Agent;
  readonly attempts: Attempts;
  readonly settle: Settle;
  readonly senderProbes: SenderProbes;
  readonly background: Background;
};

/** How long mail waits whose sender no open lane takes. */
const notWelcomeSeconds = 10;

export function openDispatcher(parts: Parts): Dispatcher {
  const { context, identity, lanes, attempts, settle, background } = parts;
  const { database, instance, timeouts, stopping } = context;
  const isCaptured = capturedBy(context);
  const ready = openReady();
  let hasBacklog = false;
  /** The claims under way; what they bring lies ready when it resolves. */
  let claiming: Promise<void> | undefined;
  /** Something may be due in the queue: the last claim brought mail, or somebody has woken us since. */
  let mayWait = true;
  let lookAgain = false;

  function wake(): void {
    mayWait = true;
    look();
  }

  function look(): void {
    if (stopping.aborted) return;
    dispatch();
    if (!mayWait) return;
    lookAgain = claiming !== undefined;
    claiming ??= claim()
      .catch((error) => context.failed(error, 'claiming mail'))
      .finally(() => {
        claiming = undefined;
        // Somebody woke us after the last look.
        if (lookAgain) look();
      });
  }

  async function claim(): Promise<void> {
    while (mayWait && !stopping.aborted) {
      const lane = lanes.find(({ isOpen }) => isOpen);
      if (!lane) return;
      const limit = claimSize(lane, { ready: ready.length, hasBacklog, usualMs: attempts.usualMs });
      if (limit <= 0) return;
      const { lowestPriority } = lane;
      if (lowestPriority < 0) return;
      if (!(await identity.confirm())) return;
      const { leaseMs } = timeouts;
      mayWait = false;
      const claimed = await claimDueMail(database, { limit, instance, leaseMs, lowestPriority });
      // Over a session that was opened for it, perhaps: then the leases run out, or the mail is held.
      if (!(await identity.confirm())) return;
      hasBacklog = claimed.length >= limit;
      ready.add(claimed);
      if (claimed.length > 0) mayWait = true;
      if (!stopping.aborted) dispatch();
    }
  }

  function dispatch(): void {
    // Asked for every mail that lies ready, and full is the usual case in a backlog.
    ready.startWhile(
      () => areFull(lanes),
      (mail) => startOrSettle(parts, isCaptured, mail),
    );
  }

  return {
    wake,
    freed: look,
    offer: openOffers(parts, ready, dispatch),
    tokens: ready.tokens,
    get hasMail() {
      return ready.length > 0;
    },
    async stop() {
      await claiming;
      for (const mail of ready.empty()) background.follow(settle.giveBack(mail));
    },
  };
}

type IsCaptured = (recipient: { readonly address: string }) => boolean;

function capturedBy({ settings }: DeliveryContext): IsCaptured {
  const firstStatus = firstStatusBy(settings);
  return ({ address }) => firstStatus(address).status === 'captured';
}

/** False when the mail has to wait for a free connection. */
function startOrSettle(parts: Parts, isCaptured: IsCaptured, mail: ClaimedMail): boolean {
  const { lanes, agent, attempts, settle, background } = parts;
  if (mail.tooLate) {
    const detail = 'max_lateness has passed';
    background.follow(settle.setAside(mail, { status: 'expired', cause: 'too-late', detail }));
    return true;
  }
  if (mail.recipients.some(isSuppressed)) {
    const outcome = { status: 'suppressed', cause: 'address-suppressed', detail: null } as const;
    background.follow(setSomeAside(parts, mail, isSuppressed, outcome));
    return true;
  }
  if (mail.recipients.some(isCaptured)) {
    const outcome = { status: 'captured', cause: null, detail: null } as const;
    background.follow(setSomeAside(parts, mail, isCaptured, outcome));
    return true;
  }
  const choice = chooseLane(lanes, mail);
  if (choice === 'none') {
    const delaySeconds = lanes.some(({ isOpen }) => isOpen) ? notWelcomeSeconds : 0;
    background.follow(settle.giveBack(mail, mail.recipients, { delaySeconds }));
  } else if ('heldBy' in choice) background.follow(holdOrProbe(parts, mail, choice.heldBy));
  else if (mail.priority > choice.lane.lowestPriority) background.follow(settle.giveBack(mail));
  else if (choice.lane.capacity > 0) attempts.start(agent, choice.lane, mail);
  else return false;
  return true;
}

const isSuppressed = ({ suppression }: ClaimedRecipient) => suppression != null;

/**
 * Ends the mail for some, and gives the others back. DELIVERY_MODE may have become stricter since it was accepted, and
 * an address may have come onto the suppression list.
 */
async function setSomeAside(
  { settle }: Parts,
  mail: ClaimedMail,
  isAside: (recipient: ClaimedRecipient) => boolean,
  outcome: Parameters<Settle['setAside']>[1],
): Promise<void> {
  const others = mail.recipients.filter((recipient) => !isAside(recipient));
  await Promise.all([
    settle.setAside(mail, outcome, mail.recipients.filter(isAside)),
    others.length > 0 && settle.giveBack(mail, others),
  ]);
}

/** When the next probe of its sender is due, as it is when a person has just released this mail, the mail is it. */
async function holdOrProbe(
  { context, attempts, settle, senderProbes }: Parts,
  mail: ClaimedMail,
  { lane, hold }: HeldSender,
): Promise<void> {
  const isProbe = lane.capacity > 0 && (await senderProbes.take(lane, hold.sender, mail.queueId));
  if (isProbe && !context.stopping.aborted) attempts.start(senderProbes.agentFor(lane), lane, mail);
  else if (isProbe) await settle.giveBack(mail);
  else await settle.setAside(mail, { status: 'held', cause: hold.cause, detail: hold.detail });
}
