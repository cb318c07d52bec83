// What an attempt leaves in the timeline: one entry about the attempt, one about each recipient. Pure.

import type { ClaimedMail, ClaimedRecipient } from '../../policy/claimed-mail.ts';
import type { SmtpFailure } from '../../smtp/failure.ts';
import type { Transaction } from '../../smtp/transaction.ts';
import type { Judgement } from '../../verdict/failure.ts';
import type { FailedAttempt } from '../lanes/dial.ts';
import type { Batch, Change, TimelineEntry } from '../queue/results.ts';
import type { Route } from '../settings.ts';
import { enhancedIn } from './change.ts';
import type { Decision, Disposition } from './decide.ts';

/** A try at a route that never became a session. */
export function failedAttempt(
  mail: ClaimedMail,
  lane: string,
  { route, failure, judgement }: FailedAttempt,
): TimelineEntry {
  return attempt(mail, lane, route, { stage: failure.stage, failure, judgement });
}

/** A transaction. @param lane its name */
export function transactionEntry(
  mail: ClaimedMail,
  lane: string,
  route: Route,
  { end, timings }: Transaction,
  decision: Decision,
): TimelineEntry {
  const judgement = decision.dispositions.find((each) => each.judgement !== null)?.judgement ?? undefined;
  if (end.kind === 'answered') {
    const { code, enhanced, text } = end.reply;
    const isYes = code < 300;
    return attempt(mail, lane, route, {
      stage: isYes ? 'accepted' : 'dot',
      ...(judgement && !isYes && { judgement }),
      code,
      enhanced,
      reply: text,
      timings,
    });
  }
  if (end.kind === 'fenced') return attempt(mail, lane, route, { stage: 'data', why: end.why, timings });
  return attempt(mail, lane, route, {
    stage: end.failure.stage,
    failure: end.failure,
    ...(judgement && { judgement }),
  });
}

/**
 * What a transaction leaves. Where everybody was sent it is no row: the recipients keep it, the first of them what is
 * about the attempt (relay/client/email/timeline.ts).
 */
export function batchOf(
  attempt: TimelineEntry,
  outcomes: readonly TimelineEntry[],
  changes: readonly Change[],
): Batch {
  const { lane, host, port, tlsMode, timings, stage } = attempt.detail;
  if (stage !== 'accepted' || changes.some(({ status }) => status !== 'sent'))
    return { changes, entries: [attempt, ...outcomes] };
  const ofAttempt = { attempt: { lane, host, port, tlsMode, timings } };
  return {
    changes: changes.map((change, index) => ({ ...change, sentBy: index === 0 ? ofAttempt : {} })),
    entries: [],
  };
}

/** What became of a recipient. Going back into the queue is not an outcome: the attempt says why. */
export function outcomeEntries(
  mail: ClaimedMail,
  { recipient, failure, judgement }: Disposition,
  change: Change,
): TimelineEntry[] {
  if (change.status === 'queued') return [];
  const { route, replyCode, reply, enhancedCode, reasonDetail, providerQueueId, delaySeconds } = change;
  return [
    {
      ...about(mail, recipient, change.status),
      detail: {
        route,
        ...(failure ? { stage: failure.stage, ...evidence(failure) } : { code: replyCode, reply }),
        ...(enhancedCode && { enhanced: enhancedCode }),
        ...(judgement && { verdict: judgement.verdict, cause: judgement.cause }),
        ...(reasonDetail && { detail: reasonDetail }),
        ...(providerQueueId && { providerQueueId }),
        ...(delaySeconds != null && { retryInSeconds: Math.round(delaySeconds) }),
      },
    },
  ];
}

/** What the relay decided without a word to the provider. */
export function asideEntry(mail: ClaimedMail, recipient: ClaimedRecipient, change: Change): TimelineEntry {
  const { status, reason: cause, reasonDetail: detail } = change;
  return { ...about(mail, recipient, status), detail: cause == null ? {} : { cause, detail } };
}

const about = ({ queueId, emailId }: ClaimedMail, { address, ordinal }: ClaimedRecipient, type: string) => ({
  type,
  queueId,
  emailId,
  recipient: address,
  ordinal,
});

function attempt(
  { queueId, emailId }: ClaimedMail,
  lane: string,
  { name, host, port, tlsMode }: Route,
  {
    stage,
    failure,
    judgement,
    ...more
  }: { stage: string; failure?: SmtpFailure; judgement?: Judgement; [more: string]: unknown },
): TimelineEntry {
  return {
    type: 'attempt',
    queueId,
    emailId,
    detail: {
      lane,
      route: name,
      host,
      port,
      tlsMode,
      stage,
      ...(failure && { ...evidence(failure), timings: failure.timings }),
      ...(judgement && { verdict: judgement.verdict, cause: judgement.cause }),
      ...more,
    },
  };
}

function evidence({ symptom }: SmtpFailure): Record<string, unknown> {
  const { responseCode, reply, message, code } = symptom;
  const enhanced = symptom.enhanced ?? enhancedIn(reply);
  return {
    ...(responseCode !== undefined && { code: responseCode }),
    ...(enhanced && { enhanced }),
    ...(reply === undefined ? { error: message, ...(code !== undefined && { errorCode: code }) } : { reply }),
  };
}
