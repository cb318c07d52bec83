// What one transaction with the provider means: for each recipient, for the lane, for the sender. Pure.

import type { Status } from '../../client/vocabulary.ts';
import type { ClaimedRecipient } from '../../policy/claimed-mail.ts';
import type { SmtpFailure } from '../../smtp/failure.ts';
import { providerQueueId } from '../../smtp/reply.ts';
import type { Transaction } from '../../smtp/transaction.ts';
import type { Judgement } from '../../verdict/failure.ts';
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
  /** MAIL FROM had the queue id in it (BOUNCE_VERP), which is nothing that the submitter asked for. */
  readonly isTagged: boolean;
  readonly random?: () => number;
};

/** Nobody waits for long when we stopped ourselves. */
const soon = 0;

/** Pure, but for the chance in the time of the next attempt. */
export function decide(circumstances: Circumstances): Decision {
  const { recipients } = circumstances;
  if (isStale(circumstances) || isTagRefused(circumstances))
    return { dispositions: [], effects: [], again: [recipients] };
  const outcomes = recipients.map((recipient) => outcomeOf(circumstances, recipient));
  const split = recipients.filter((_, index) => outcomes[index] === 'split');
  const decided = outcomes.filter((outcome) => outcome !== 'split');
  return {
    dispositions: decided.map(({ disposition }) => disposition),
    effects: distinct(decided.flatMap(({ effect }) => effect ?? [])),
    again: halves(split, recipients.length),
  };
}

/** What one recipient becomes and what everybody must know of it; or that its batch was too large. */
type Outcome = { readonly disposition: Disposition; readonly effect?: Effect | undefined } | 'split';

function outcomeOf(circumstances: Circumstances, recipient: ClaimedRecipient): Outcome {
  const { transaction } = circumstances;
  const { end } = transaction;
  const refusal = transaction.refused.get(recipient.address);
  if (refusal) return refused(circumstances, recipient, refusal);
  if (end.kind === 'silent') return unknown(circumstances, recipient, end.failure);
  if (end.kind === 'failed') return refused(circumstances, recipient, end.failure);
  if (end.kind === 'fenced') return become(recipient, 'queued', { delaySeconds: soon });
  const { code, enhanced, text } = end.reply;
  if (isYes(code)) return become(recipient, 'sent', {});
  const symptom = { responseCode: code, reply: text, ...(enhanced ? { enhanced } : {}) };
  return refused(circumstances, recipient, { stage: 'dot', symptom, timings: transaction.timings });
}

function refused(circumstances: Circumstances, recipient: ClaimedRecipient, failure: SmtpFailure): Outcome {
  const { isNotice } = circumstances;
  const judgement = circumstances.judge(failure);
  const { verdict, scope, cause } = judgement;
  const because = { failure, judgement, reason: cause };
  const isOfLane = scope === 'credential' || scope === 'platform' || scope === 'route';

  // A lane that refuses <> refuses notices, not mail: it must not be stopped for that.
  if (verdict === 'fail' || (verdict === 'stop' && isNotice && scope !== 'platform'))
    return become(recipient, 'bounced', because);
  if (verdict === 'split' && circumstances.recipients.length > 1) return 'split';
  if ((verdict === 'stop' || verdict === 'pause') && isOfLane)
    return refusedByLane(circumstances, recipient, because);
  if (verdict === 'stop') {
    const effect = scope === 'sender' ? ({ kind: 'hold-sender', judgement, failure } as const) : undefined;
    return { ...become(recipient, 'held', because), effect };
  }
  // retry, and whatever cannot be meant at this point: when in doubt, later.
  const counts = verdict !== 'pause' && !isOfLane;
  return become(recipient, 'deferred', {
    ...because,
    counts,
    delaySeconds: retryIn(circumstances, recipient, judgement),
  });
}

type Because = { readonly failure: SmtpFailure; readonly judgement: Judgement; readonly reason: string };

function refusedByLane(circumstances: Circumstances, recipient: ClaimedRecipient, because: Because): Outcome {
  const { isNotice, schedule } = circumstances;
  const { failure, judgement } = because;
  const isSuspicion = judgement.isSuspicion === true;
  const kind = isSuspicion ? 'suspect-lane' : judgement.verdict === 'stop' ? 'stop-lane' : 'pause-lane';
  const effect = isNotice ? undefined : ({ kind, judgement, failure, recipient: recipient.address } as const);
  const later = retryIn(circumstances, recipient, judgement);
  if (isSuspicion)
    return { ...become(recipient, 'deferred', { ...because, counts: true, delaySeconds: later }), effect };
  // When the lane opens again another mail goes first, and shows whether it was this one.
  const aside = failure.stage === 'mail' ? soon : (schedule[0] ?? soon);
  return { ...become(recipient, 'queued', { ...because, delaySeconds: isNotice ? later : aside }), effect };
}

function unknown(
  { judge, onUncertain, resendSeconds }: Circumstances,
  recipient: ClaimedRecipient,
  failure: SmtpFailure,
): Outcome {
  const judgement = judge(failure);
  const because = { failure, judgement, counts: true };
  // Twice without an answer: a person has to ask the recipient before there is a third copy.
  if (recipient.resends > 0) return become(recipient, 'held', { ...because, reason: 'uncertain-twice' });
  const delaySeconds = onUncertain === 'resend' ? resendSeconds : null;
  return become(recipient, 'uncertain', { ...because, reason: judgement.cause, delaySeconds });
}

function retryIn(
  { schedule, random = Math.random }: Circumstances,
  recipient: ClaimedRecipient,
  { retryAfterSeconds }: Judgement,
): number {
  return secondsUntilRetry(schedule, recipient.attempts + 1, { asked: retryAfterSeconds, random: random() });
}

function become(
  recipient: ClaimedRecipient,
  status: Disposition['status'],
  {
    reason = null,
    delaySeconds = null,
    counts = status === 'sent' || status === 'bounced',
    failure = null,
    judgement = null,
  }: Partial<Disposition>,
): { disposition: Disposition } {
  return { disposition: { recipient, status, reason, delaySeconds, counts, failure, judgement } };
}

/** Several recipients refused one by one are several refusals; one answer to their mail is one. */
function distinct(effects: readonly Effect[]): Effect[] {
  return effects.filter(
    (effect, index) =>
      (effect.kind === 'suspect-lane' && effect.failure.stage === 'rcpt') ||
      effects.findIndex(({ kind }) => kind === effect.kind) === index,
  );
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

/** A session that was idle may have been closed under our hands, or signed out: nothing was said about this mail. */
function isStale({ transaction, mayBeStale }: Circumstances): boolean {
  const { end } = transaction;
  if (!mayBeStale || end.kind !== 'failed' || end.failure.stage !== 'mail') return false;
  return end.failure.symptom.responseCode === undefined || isSignedOut(transaction);
}

/**
 * The sender is refused, and was not the mail's own: it goes again at once with that one, so that the provider's dislike
 * of tags holds no mail and no sender.
 */
export function isTagRefused({ isTagged, transaction, judge, recipients }: Circumstances): boolean {
  const { end, refused } = transaction;
  if (!isTagged || end.kind === 'silent' || end.kind === 'fenced') return false;
  if (end.kind === 'answered' && isYes(end.reply.code)) return false;
  const isOfSender = (failure: SmtpFailure) => judge(failure).scope === 'sender';
  if (end.kind === 'failed' && end.failure.stage === 'mail')
    return Number(end.failure.symptom.responseCode ?? 0) >= 500 || isOfSender(end.failure);
  if (end.kind === 'failed') {
    const failures = recipients.map(({ address }) => refused.get(address) ?? end.failure);
    return failures.every(isOfSender);
  }
  const { code, enhanced, text } = end.reply;
  const symptom = { responseCode: code, reply: text, ...(enhanced ? { enhanced } : {}) };
  return isOfSender({ stage: 'dot', symptom, timings: transaction.timings });
}

/**
 * The server asks for a sign-in (RFC 4954 §6), on a session that it took mail on before: the access token has ended, and
 * a new session gets another.
 */
export function isSignedOut({ end }: Transaction): boolean {
  if (end.kind !== 'failed' || end.failure.stage !== 'mail') return false;
  const { responseCode } = end.failure.symptom;
  return responseCode === 530 || responseCode === 535;
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
