// What one transaction with the provider means: for each recipient, for the lane, for the sender. Pure.

import type { Status } from '../../client/vocabulary.ts';
import type { SmtpFailure } from '../../smtp/failure.ts';
import { providerQueueId } from '../../smtp/reply.ts';
import type { Transaction } from '../../smtp/transaction.ts';
import type { Judgement } from '../../verdict/failure.ts';
import type { ClaimedRecipient } from '../queue/claim.ts';
import { secondsUntilRetry } from './retry-schedule.ts';

/** What a recipient becomes. */
export type Disposition = {
  readonly recipient: ClaimedRecipient;
  readonly status: Extract<Status, 'sent' | 'deferred' | 'queued' | 'bounced' | 'held' | 'uncertain'>;
  readonly reason: string | null;
  readonly delaySeconds: number | null;
  /** Whether the attempt counts against the message. */
  readonly counts: boolean;
  /** The provider's answer that decided, or what stood in for one. */
  readonly failure: SmtpFailure | null;
  readonly judgement: Judgement | null;
};

/** What everybody else must know. */
export type Effect =
  | {
      readonly kind: 'stop-lane' | 'pause-lane';
      readonly judgement: Judgement;
      readonly failure: SmtpFailure;
      readonly recipient: string;
    }
  /** It may be the lane or only this mail; what other recipients are told decides (refusals.ts). */
  | {
      readonly kind: 'suspect-lane';
      readonly judgement: Judgement;
      readonly failure: SmtpFailure;
      readonly recipient: string;
    }
  | { readonly kind: 'hold-sender'; readonly judgement: Judgement; readonly failure: SmtpFailure };

export type Decision = {
  readonly dispositions: readonly Disposition[];
  readonly effects: readonly Effect[];
  /** Recipients to try again at once, in batches of their own. */
  readonly again: readonly (readonly ClaimedRecipient[])[];
};

export type Circumstances = {
  readonly recipients: readonly ClaimedRecipient[];
  readonly transaction: Transaction;
  judge(failure: SmtpFailure): Judgement;
  readonly schedule: readonly number[];
  readonly onUncertain: 'resend' | 'hold';
  readonly resendSeconds: number;
  /** A notice to a sender (RFC 5321 §4.5.5): nobody is told when it fails, and no lane is blamed for it. */
  readonly isNotice: boolean;
  /** The session had been idle, and the provider may have hung up before it heard of this mail. */
  readonly mayBeStale: boolean;
  readonly random?: () => number;
};

/** Nobody waits for long when we stopped ourselves. */
const soon = 0;

export function decide(circumstances: Circumstances): Decision {
  const { recipients, transaction, judge, schedule, onUncertain, resendSeconds, isNotice } = circumstances;
  const random = circumstances.random ?? Math.random;
  const { end } = transaction;
  const dispositions: Disposition[] = [];
  const effects: Effect[] = [];
  const split: ClaimedRecipient[] = [];

  if (isStale(circumstances)) return { dispositions, effects, again: [recipients] };

  for (const recipient of recipients) {
    const refusal = transaction.refused.get(recipient.address);
    if (refusal) settle(recipient, refusal);
    else if (end.kind === 'answered' && isYes(end.reply.code)) {
      add(recipient, 'sent', { reason: null });
    } else if (end.kind === 'answered') {
      const { code, enhanced, text } = end.reply;
      const symptom = { responseCode: code, reply: text, ...(enhanced ? { enhanced } : {}) };
      settle(recipient, { stage: 'dot', symptom, timings: transaction.timings });
    } else if (end.kind === 'silent') {
      unknown(recipient, end.failure);
    } else if (end.kind === 'fenced') {
      add(recipient, 'queued', { reason: null, delaySeconds: soon });
    } else {
      settle(recipient, end.failure);
    }
  }
  return { dispositions, effects, again: halves(split, recipients.length) };

  function settle(recipient: ClaimedRecipient, failure: SmtpFailure): void {
    const judgement = judge(failure);
    const { verdict, scope, cause } = judgement;
    const because = { failure, judgement, reason: cause };
    const isTheLanes = scope === 'credential' || scope === 'platform' || scope === 'route';
    const later = () => retryIn(recipient, judgement);

    if (verdict === 'fail' || (verdict === 'stop' && isNotice && scope !== 'platform')) {
      // A lane that refuses <> refuses notices, not mail: it must not be stopped for that.
      add(recipient, 'bounced', because);
    } else if (verdict === 'split' && recipients.length > 1) {
      split.push(recipient);
    } else if ((verdict === 'stop' || verdict === 'pause') && isTheLanes) {
      const isSuspicion = judgement.isSuspicion === true;
      const kind = isSuspicion ? 'suspect-lane' : verdict === 'stop' ? 'stop-lane' : 'pause-lane';
      if (!isNotice) effect({ kind, judgement, failure, recipient: recipient.address });
      if (isSuspicion) add(recipient, 'deferred', { ...because, counts: true, delaySeconds: later() });
      // When the lane opens again another mail goes first, and shows whether it was this one.
      else add(recipient, 'queued', { ...because, delaySeconds: isNotice ? later() : aside(failure) });
    } else if (verdict === 'stop') {
      if (scope === 'sender') effect({ kind: 'hold-sender', judgement, failure });
      add(recipient, 'held', because);
    } else {
      // retry, and whatever cannot be meant at this point: when in doubt, later.
      const counts = verdict !== 'pause' && !isTheLanes;
      add(recipient, 'deferred', { ...because, counts, delaySeconds: later() });
    }
  }

  function unknown(recipient: ClaimedRecipient, failure: SmtpFailure): void {
    const judgement = judge(failure);
    const because = { failure, judgement, counts: true };
    if (recipient.resends > 0) {
      // Twice without an answer: a person has to ask the recipient before there is a third copy.
      add(recipient, 'held', { ...because, reason: 'uncertain-twice' });
    } else {
      const delaySeconds = onUncertain === 'resend' ? resendSeconds : null;
      add(recipient, 'uncertain', { ...because, reason: judgement.cause, delaySeconds });
    }
  }

  function aside({ stage }: SmtpFailure): number {
    return stage === 'mail' ? soon : (schedule[0] ?? soon);
  }

  function retryIn(recipient: ClaimedRecipient, judgement: Judgement): number {
    return secondsUntilRetry(schedule, recipient.attempts + 1, {
      asked: judgement.retryAfterSeconds,
      random: random(),
    });
  }

  function add(
    recipient: ClaimedRecipient,
    status: Disposition['status'],
    {
      reason,
      delaySeconds = null,
      counts = status === 'sent' || status === 'bounced',
      failure = null,
      judgement = null,
    }: Partial<Disposition>,
  ): void {
    dispositions.push({
      recipient,
      status,
      reason: reason ?? null,
      delaySeconds,
      counts,
      failure,
      judgement,
    });
  }

  function effect(one: Effect): void {
    // Several recipients refused one by one are several refusals; one answer to their mail is one.
    const isAnother = one.kind === 'suspect-lane' && one.failure.stage === 'rcpt';
    if (isAnother || !effects.some(({ kind }) => kind === one.kind)) effects.push(one);
  }
}

/** The same once it is known that only this mail is refused, and not the lane: it waits alone. */
export function decideAlone(circumstances: Circumstances): Decision {
  return decide({
    ...circumstances,
    judge(failure) {
      const { isSuspicion: _, ...judgement } = circumstances.judge(failure);
      return { ...judgement, verdict: 'retry', scope: 'message' };
    },
  });
}

/** The provider's own name for a mail it took. */
export function takenAs(transaction: Transaction): string | null {
  return transaction.end.kind === 'answered' ? providerQueueId(transaction.end.reply.text) : null;
}

const isYes = (code: number) => code >= 200 && code < 300;

/** A session that was idle may have been closed under our hands: nothing was said about this mail. */
function isStale({ transaction: { end }, mayBeStale }: Circumstances): boolean {
  return (
    mayBeStale &&
    end.kind === 'failed' &&
    end.failure.stage === 'mail' &&
    end.failure.symptom.responseCode === undefined
  );
}

/**
 * Smaller batches of what was too much at once. Some may have been taken with the first batch, then the rest
 * is smaller already; otherwise it is halved, which ends with one recipient a batch.
 */
function halves(recipients: readonly ClaimedRecipient[], before: number): ClaimedRecipient[][] {
  if (recipients.length === 0) return [];
  if (recipients.length < before) return [[...recipients]];
  const middle = Math.ceil(recipients.length / 2);
  return [recipients.slice(0, middle), recipients.slice(middle)];
}
