// Which of our recipients a report is about, and what that changes. Matched, never guessed: the mail is known by an id
// that it carried, and the recipient must be one of it.
import { erasedAddress } from '../client/erasure/person.ts';
import type { Status } from '../client/vocabulary.ts';
import type { Report, ReportedRecipient } from './report.ts';

/** A mail that the report names, with everybody it was for. */
export type KnownMail = {
  readonly queueId: string;
  readonly emailId: string | null;
  /** `message-id`: by the one we gave it, which all its readers know and nobody else. */
  readonly by: 'message-id' | 'provider-id' | 'queue-id';
  /** Its person was forgotten: nothing about him is written down any more. */
  readonly isErased: boolean;
  readonly recipients: readonly KnownRecipient[];
};

export type KnownRecipient = {
  readonly ordinal: number;
  readonly address: string;
  readonly status: Status;
  /** All its data may be out: the provider may have it, although nobody heard its 250. */
  readonly mayBeOut: boolean;
};

export type Effect = {
  readonly mail: KnownMail;
  readonly recipient: KnownRecipient;
  readonly reported: ReportedRecipient;
  /** What becomes of it; null when only the timeline hears of it. */
  readonly status: 'bounced' | 'sent' | null;
  readonly event: 'bounced' | 'sent' | 'delayed' | 'delivered' | 'complained';
};

export type Match = {
  readonly effects: readonly Effect[];
  /** Recipients of the report that no mail of ours had. */
  readonly unmatched: number;
};

/** @param mails the surest first, and the newest of those */
export function matchReport(report: Report, mails: readonly KnownMail[]): Match {
  const effects: Effect[] = [];
  let unmatched = 0;
  const seen = new Set<string>();
  for (const reported of report.recipients) {
    const found = findRecipient(reported, mails);
    if (found === undefined) {
      unmatched++;
      continue;
    }
    const { mail, recipient } = found;
    const key = `${mail.queueId} ${recipient.ordinal}`;
    if (mail.isErased || recipient.address === erasedAddress || seen.has(key)) continue;
    seen.add(key);
    const effect = effectOn(recipient, reported);
    if (effect !== undefined) effects.push({ mail, recipient, reported, ...effect });
  }
  return { effects, unmatched };
}

function findRecipient(
  reported: ReportedRecipient,
  mails: readonly KnownMail[],
): { mail: KnownMail; recipient: KnownRecipient } | undefined {
  const names = [reported.address, reported.finalAddress].map((name) => name.toLowerCase());
  for (const name of new Set(names)) {
    for (const mail of mails) {
      const recipient = mail.recipients.find(({ address }) => address.toLowerCase() === name);
      if (recipient !== undefined) return { mail, recipient };
      // Receivers cut the address out of complaints; where the mail had one reader it can only be him.
      const only = mail.recipients[0];
      if (name === '' && mail.recipients.length === 1 && only !== undefined) return { mail, recipient: only };
    }
  }
  return undefined;
}

/** Undefined when the report tells nothing that could be true of this recipient. */
function effectOn(
  { status, mayBeOut }: KnownRecipient,
  { action }: ReportedRecipient,
): Pick<Effect, 'status' | 'event'> | undefined {
  const isUnsettled = status === 'uncertain' || (status === 'held' && mayBeOut);
  if (!isUnsettled && status !== 'sent' && status !== 'bounced') return undefined;
  if (action === 'failed') {
    return status === 'bounced' ? undefined : { status: 'bounced', event: 'bounced' };
  }
  if (action === 'complaint') return { status: isUnsettled ? 'sent' : null, event: 'complained' };
  const event = action === 'delayed' ? 'delayed' : 'delivered';
  // Whoever reports on a mail has it: it is not sent again.
  return isUnsettled ? { status: 'sent', event: 'sent' } : { status: null, event };
}
