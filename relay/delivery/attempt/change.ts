// The new truth about a recipient, as the database takes it. Pure.
import { spellingsFor } from '../../client/suppression/suppression.ts';
import type { ClaimedMail, ClaimedRecipient } from '../../policy/claimed-mail.ts';
import type { SmtpFailure } from '../../smtp/failure.ts';
import { inWords } from '../../smtp/failure.ts';
import type { Transaction } from '../../smtp/transaction.ts';
import { proofOfRefusal } from '../../verdict/address-fault.ts';
import { inBrief } from '../../verdict/explain.ts';
import type { Marked } from '../queue/marks.ts';
import type { Change } from '../queue/results.ts';
import { type Disposition, takenAs } from './decide.ts';

/** Back into the queue as if nothing had happened; nothing has, as far as the provider is concerned. */
export function backInQueue(mail: ClaimedMail, recipient: ClaimedRecipient, delaySeconds = 0): Change {
  const { queueId, emailId, token } = mail;
  const { ordinal, resends } = recipient;
  return { queueId, emailId, ordinal, token, markedAt: null, resends, status: 'queued', delaySeconds };
}

/** What the relay decides without a word to the provider. */
export function aside(
  mail: ClaimedMail,
  recipient: ClaimedRecipient,
  { status, cause, detail }: { status: Change['status']; cause: string | null; detail: string | null },
): Change {
  return {
    ...backInQueue(mail, recipient),
    status,
    delaySeconds: null,
    reason: cause,
    reasonDetail: detail,
  };
}

/** What is true of a mail from the mark until the final reply, as RFC 1047 describes it. */
export function unanswered(
  mail: ClaimedMail,
  recipient: ClaimedRecipient,
  markedAt: string,
  { onUncertain, resendSeconds }: { onUncertain: 'resend' | 'hold'; resendSeconds: number },
): Change {
  const isSecond = recipient.resends > 0;
  return {
    ...backInQueue(mail, recipient),
    markedAt,
    status: isSecond ? 'held' : 'uncertain',
    reason: isSecond ? 'uncertain-twice' : 'relay-lost',
    reasonDetail: 'Its data may have left when a standby of PostgreSQL took over without the last commits.',
    delaySeconds: !isSecond && onUncertain === 'resend' ? resendSeconds : null,
    counts: true,
    stage: 'dot',
  };
}

export type AttemptFacts = {
  readonly transaction: Transaction;
  /** The name of the route. */
  readonly route: string;
  readonly marked: Marked | undefined;
  /** The queue has kept this mail for as long as it may. */
  readonly isExpired: boolean;
  /** The provider offers DSN and takes over what the submitter wants to hear. */
  readonly dsnPassedOn: boolean;
};

export function changeOf(
  mail: ClaimedMail,
  { recipient, status, reason, delaySeconds, counts, failure }: Disposition,
  { transaction, route, marked, isExpired, dsnPassedOn }: AttemptFacts,
): Change {
  const { end } = transaction;
  const reply = status === 'sent' && end.kind === 'answered' ? end.reply : undefined;
  const expires = isExpired && status === 'deferred';
  return {
    queueId: mail.queueId,
    emailId: mail.emailId,
    ordinal: recipient.ordinal,
    token: mail.token,
    markedAt: marked?.markedAt ?? null,
    resends: recipient.resends,
    status: expires ? 'expired' : status,
    reason,
    reasonDetail: failure ? detailOf(status, reason, failure) : null,
    delaySeconds: expires ? null : delaySeconds,
    counts,
    route,
    stage: failure?.stage ?? null,
    replyCode: reply?.code ?? codeOf(failure),
    enhancedCode: reply?.enhanced ?? failure?.symptom.enhanced ?? enhancedIn(failure?.symptom.reply),
    reply: reply?.text ?? failure?.symptom.reply ?? null,
    providerQueueId: status === 'sent' ? takenAs(transaction) : null,
    dsnPassedOn,
    ...(status === 'bounced' && failure && { suppression: suppressionOf(recipient, reason, failure) }),
  };
}

/** Undefined when the refusal says nothing of the address itself. */
function suppressionOf(
  { address }: ClaimedRecipient,
  cause: string | null,
  { stage, symptom: { enhanced, reply } }: SmtpFailure,
): Change['suppression'] {
  const proof = proofOfRefusal({ stage, cause, enhanced: enhanced ?? enhancedIn(reply), reply });
  return proof && { spellings: spellingsFor(address), takesTwo: proof === 'twice' };
}

/** RFC 3463, from the beginning of a reply. */
export const enhancedIn = (reply: string | undefined): string | null =>
  /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(reply ?? '')?.[1] ?? null;

/** Replies outside of SMTP's range would not fit the column, and are in the timeline anyway. */
function codeOf(failure: SmtpFailure | null): number | null {
  const code = Number(failure?.symptom.responseCode);
  return code >= 200 && code < 600 ? code : null;
}

function detailOf(status: string, reason: string | null, failure: SmtpFailure): string {
  const words = inWords(failure);
  // Who holds mail must say what lets it go again.
  const fix = status === 'held' && reason ? inBrief(reason).fix : '';
  return fix ? `${words} (${fix})` : words;
}
