// The way past the queue: mail that a connection will take within about a second is claimed in the very commit that
// accepts it, and goes on from memory. It is a claim like any other, with a lease that names who carries the mail.
import type { ClaimedMail } from '../policy/claimed-mail.ts';
import type { Offer } from '../policy/offer.ts';
import type { Submission } from './group.ts';

/** A mail with more recipients takes several transactions (RFC 5321 section 4.5.3.1.8): the queue splits it. */
const mostRecipients = 100;

export function mayBeHanded(offer: Offer | undefined, submission: Submission): boolean {
  return (
    offer !== undefined &&
    submission.status.status === 'queued' &&
    submission.recipients.length <= mostRecipients &&
    offer.welcomes(submission)
  );
}

export type ClaimedRow = {
  readonly priority: number;
  readonly on_uncertain: 'resend' | 'hold' | null;
  readonly traceparent: string | null;
  readonly received_at: Date;
};

export function handedMail(submission: Submission, { token }: Offer, row: ClaimedRow): ClaimedMail {
  const { queueId, email, sender, headerFrom, size, eightBit, smtputf8, ret, envid, content } = submission;
  return {
    queueId,
    token,
    emailId: email?.id ?? null,
    priority: row.priority,
    sender,
    headerFrom,
    size,
    eightBit,
    utf8Header: smtputf8,
    onUncertain: row.on_uncertain,
    ret,
    envid,
    receivedAt: row.received_at,
    ageSeconds: 0,
    tooLate: false,
    traceparent: row.traceparent,
    recipients: submission.recipients.flatMap(({ address, status, notify, orcpt }, ordinal) =>
      status === 'queued'
        ? [
            {
              ordinal,
              address,
              attempts: 0,
              resends: 0,
              notify: notify ?? null,
              orcpt: orcpt ?? null,
            } as const,
          ]
        : [],
    ),
    content: content ?? null,
  };
}
