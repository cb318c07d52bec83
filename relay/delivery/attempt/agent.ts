// Delivers one claimed mail, from a free connection to a stored result (the delivery agent).

import type { ClaimedMail, ClaimedRecipient } from '../../policy/claimed-mail.ts';
import type { DsnRequest } from '../../smtp/envelope-commands.ts';
import type { Session } from '../../smtp/session.ts';
import type { Transaction } from '../../smtp/transaction.ts';
import type { DeliveryContext } from '../context.ts';
import { acquireForMail } from '../lanes/acquire.ts';
import type { Lane } from '../lanes/lane.ts';
import { returnQuota, takeQuota } from '../lanes/quota.ts';
import { countFinalReply } from '../lanes/silent-routes.ts';
import { readParts } from '../queue/claim.ts';
import type { Marked, Marks } from '../queue/marks.ts';
import { openSeconds } from '../queue/open-time.ts';
import { dateOf, type Recollection } from '../queue/recollection.ts';
import type { Change, TimelineEntry } from '../queue/results.ts';
import { idsOf, type Settle, shown } from '../settle.ts';
import { changeOf, unanswered } from './change.ts';
import {
  type Circumstances,
  type Decision,
  decide,
  decideAlone,
  type Effect,
  isSignedOut,
  isTagRefused,
} from './decide.ts';
import { fenceOf } from './fence.ts';
import type { SenderTags } from './sender-tags.ts';
import { asideEntry, batchOf, failedAttempt, outcomeEntries, transactionEntry } from './timeline.ts';
import { traceAttempt } from './trace.ts';

export type Agent = {
  readonly context: DeliveryContext;
  readonly marks: Marks;
  readonly recollection: Pick<Recollection, 'keep'>;
  readonly settle: Settle;
  readonly tags: SenderTags;
  /** Whether other mail waits for a connection. */
  hasBacklog(): boolean;
  /**
   * Does what concerns more than this mail, before its own result is stored.
   *
   * @returns false when it turns out that the lane is well and only this mail is refused
   */
  applyEffect(lane: Lane, mail: ClaimedMail, effect: Effect): Promise<boolean>;
  /** A route is not used any more because its final replies are lost. */
  routeStopped(): Promise<void>;
  /**
   * Results are stored.
   *
   * @param taken what the provider said yes to in this transaction
   */
  settled(mail: ClaimedMail, changes: readonly Change[], taken: readonly ('mail' | 'rcpt')[]): Promise<void>;
};

/** A mail under way, so that a stopping relay knows what it interrupts. */
export type Attempt = {
  readonly mail: ClaimedMail;
  /** The final dot may be out: only the provider knows. */
  dotIsOut: boolean;
  session: Session | undefined;
};

/**
 * Sends a mail to the provider and writes down what became of every recipient. Never rejects.
 *
 * @param free called when the connection may be used for the next mail; results are stored meanwhile
 */
export async function deliver(agent: Agent, lane: Lane, attempt: Attempt, free: () => void): Promise<void> {
  const { mail } = attempt;
  const { context, settle } = agent;
  const batches: (readonly ClaimedRecipient[])[] = [mail.recipients];
  const giveBack = async (batch: readonly ClaimedRecipient[], entries: TimelineEntry[]) => {
    free();
    await settle.giveBack(mail, [batch, ...batches.splice(0)].flat(), { entries });
  };
  try {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      if (!(await takeQuota(context, lane, mail, batch.length))) {
        await giveBack(batch, []);
        return;
      }
      const { session, failed } = await acquireForMail(context, lane);
      const entries = failed.map((each) => failedAttempt(mail, lane.provider.name, each));
      if (!session) {
        // The connection is free before the limits are told: that may wait for the database.
        free();
        await returnQuota(context, lane, batch.length);
        await giveBack(batch, entries);
        return;
      }
      const { again, store } = await transact(agent, { lane, attempt, session, batch, entries });
      batches.unshift(...again);
      if (batches.length === 0) free();
      await store();
    }
  } catch (error) {
    // A bug. The lease runs out, and the mark decides what is true of the mail.
    context.log.error(
      { err: error, event: 'attempt-failed', ...idsOf(mail) },
      'An attempt ended with an error of Postern',
    );
    attempt.session?.destroy();
  } finally {
    free();
  }
}

type Batch = {
  readonly lane: Lane;
  readonly attempt: Attempt;
  readonly session: Session;
  readonly batch: readonly ClaimedRecipient[];
  /** What is told already; the transaction adds to it. */
  readonly entries: readonly TimelineEntry[];
};

/** One transaction. `store` writes down how it ended, while the connection is used for the next mail. */
async function transact(
  agent: Agent,
  { lane, attempt, session, batch, entries }: Batch,
): Promise<{ again: Decision['again']; store: () => Promise<void> }> {
  const { context } = agent;
  const { settings, timeouts, log } = context;
  const { mail } = attempt;
  const { route } = session;
  const mayBeStale = session.transactions > 0;
  const span = traceAttempt(mail, route);
  log.info(
    { event: 'attempt', ...idsOf(mail), route: route.name },
    `Attempting to send email to ${batch.map(({ address }) => shown(settings, address)).join(', ')} via ${route.host}:${route.port}`,
  );

  let marked: Marked | undefined;
  attempt.session = session;
  const sender = agent.tags.senderOf(lane, mail);
  const transaction = await session.send(
    outgoing(context, mail, batch, sender),
    fenceOf({
      mail,
      batch,
      marks: agent.marks,
      markMs: timeouts.markMs,
      isEarly: agent.hasBacklog(),
      stopping: context.stopping,
      marked(mark) {
        marked = mark;
        rememberMark(agent, mail, batch, mark);
      },
      passed() {
        attempt.dotIsOut = true;
      },
    }),
  );
  attempt.session = undefined;
  attempt.dotIsOut = false;
  if (isSignedOut(transaction)) session.destroy();
  lane.giveBack(session);

  const circumstances: Circumstances = {
    recipients: batch,
    transaction,
    judge: (failure) => context.judge(lane.provider, failure),
    schedule: settings.retryScheduleSeconds,
    onUncertain: mail.onUncertain ?? settings.uncertainPolicy,
    resendSeconds: timeouts.resendMs / 1_000,
    isNotice: mail.sender === '',
    mayBeStale,
    isTagged: sender !== mail.sender,
  };
  const decision = decide(circumstances);
  if (isTagRefused(circumstances)) agent.tags.refused(lane);
  if (decision.dispositions.some(({ status }) => status === 'sent')) lane.grow();
  span?.end(transaction, decision);
  const heard = (wasSilent: boolean) =>
    countFinalReply(context, lane, route, { wasSilent, stopped: agent.routeStopped });
  // Before the connection is free for the next mail: a route that swallows replies must not get many more.
  if (transaction.end.kind === 'silent') await heard(true);

  const store = async () => {
    await returnQuota(context, lane, batch.length - goneOut(decision));
    if (transaction.end.kind === 'answered') await heard(false);
    const final = await afterEffects(agent, lane, mail, decision, circumstances);
    const isExpired =
      final.dispositions.some(({ status }) => status === 'deferred') && (await isTooOld(context, mail));
    const facts = { transaction, route: route.name, marked, isExpired, dsnPassedOn: session.offersDsn };
    const changes = final.dispositions.map((disposition) => changeOf(mail, disposition, facts));
    const outcomes = final.dispositions.flatMap((disposition, index) =>
      outcomeEntries(mail, disposition, changes[index] as Change),
    );
    const told = transactionEntry(mail, lane.provider.name, route, transaction, final);
    const left = batchOf(told, outcomes, changes);
    await agent.settle.settle(mail, left.changes, [...entries, ...left.entries], told);
    await agent.settled(mail, changes, takenStages(transaction));
  };
  return { again: decision.again, store };
}

/** Until there is a result: the mark may be lost with a primary whose standby does not have it. */
function rememberMark(
  { context, recollection }: Agent,
  mail: ClaimedMail,
  batch: readonly ClaimedRecipient[],
  { markedAt }: Marked,
): void {
  const onUncertain = mail.onUncertain ?? context.settings.uncertainPolicy;
  const resendSeconds = context.timeouts.resendMs / 1_000;
  for (const recipient of batch) {
    const change = unanswered(mail, recipient, markedAt, { onUncertain, resendSeconds });
    recollection.keep({ change, entries: [asideEntry(mail, recipient, change)], at: dateOf(markedAt) });
  }
}

function outgoing(
  { database }: DeliveryContext,
  mail: ClaimedMail,
  batch: readonly ClaimedRecipient[],
  sender: string,
) {
  const { queueId, size, eightBit, utf8Header, content } = mail;
  return {
    sender,
    recipients: [...new Set(batch.map(({ address }) => address))],
    size,
    eightBit,
    utf8Header,
    dsn: dsnOf(mail, batch),
    body: content ?? readParts(database, queueId, size),
  };
}

/** What the submitter of this mail wants to hear; undefined when it said nothing. */
function dsnOf({ ret, envid }: ClaimedMail, batch: readonly ClaimedRecipient[]): DsnRequest | undefined {
  const asked = batch.filter(({ notify, orcpt }) => notify !== null || orcpt !== null);
  if (ret === null && envid === null && asked.length === 0) return undefined;
  return { ret, envid, recipients: new Map(asked.map((recipient) => [recipient.address, recipient])) };
}

const goneOut = ({ dispositions }: Decision) =>
  dispositions.filter(({ status }) => status === 'sent' || status === 'uncertain').length;

/** The decision once it is known whether the lane is refused or only this mail. */
async function afterEffects(
  agent: Agent,
  lane: Lane,
  mail: ClaimedMail,
  decision: Decision,
  circumstances: Circumstances,
): Promise<Decision> {
  let isAlone = false;
  for (const effect of decision.effects) {
    if (!(await agent.applyEffect(lane, mail, effect))) isAlone = true;
  }
  return isAlone ? decideAlone(circumstances) : decision;
}

/** Whether a mail that would be deferred has been around for longer than the queue keeps it, with a lane open. */
async function isTooOld(
  { database, settings, tryTo }: DeliveryContext,
  { ageSeconds, queueId }: ClaimedMail,
): Promise<boolean> {
  const lifetime = settings.queueLifetimeSeconds;
  if (ageSeconds <= lifetime) return false;
  const open = await tryTo('asking how long mail could have left', () => openSeconds(database, queueId));
  return (open ?? 0) > lifetime;
}

/** Whether the provider took the sender, and a recipient: by its own replies, not by what we left out. */
function takenStages({ accepted, refused }: Transaction): ('mail' | 'rcpt')[] {
  if (accepted.length > 0) return ['mail', 'rcpt'];
  const heard = [...refused.values()].some(({ symptom }) => symptom.responseCode !== undefined);
  return heard ? ['mail'] : [];
}
