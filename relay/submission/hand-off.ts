// The way past the queue: mail that a connection will take within about a second is claimed in the very commit that
// accepts it, and goes on from memory. It is a claim like any other, with a lease that names who carries the mail.
import type { Submission } from './group.ts';

/** An accepted mail with its claim: what delivery would have read from the queue. */
export type HandedMail = {
  readonly queueId: string;
  readonly token: string;
  readonly emailId: string | null;
  readonly priority: number;
  readonly sender: string;
  readonly headerFrom: string;
  readonly size: number;
  readonly eightBit: boolean;
  readonly utf8Header: boolean;
  readonly onUncertain: 'resend' | 'hold' | null;
  readonly ret: string | null;
  readonly envid: string | null;
  readonly receivedAt: Date;
  readonly ageSeconds: 0;
  readonly tooLate: false;
  readonly traceparent: string | null;
  readonly recipients: readonly {
    readonly ordinal: number;
    readonly address: string;
    readonly attempts: 0;
    readonly resends: 0;
    readonly notify: string | null;
    readonly orcpt: string | null;
  }[];
  readonly content: Buffer | null;
};

/** What delivery would claim of the next commit. */
export type Offer = {
  readonly token: string;
  readonly instance: string;
  readonly leaseMs: number;
  /** How many mails of each priority, from 0 on. */
  readonly room: readonly number[];
  /** Whether a lane that is open takes mail of this sender now. */
  welcomes(mail: Pick<Submission, 'sender' | 'headerFrom'>): boolean;
  /** Called once for each offer, also when the commit failed. */
  claimed(mails: readonly HandedMail[]): void;
};

/** Asked before each commit. @param messages how many the commit has */
export type HandOff = (messages: number) => Offer | undefined;

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

export function handedMail(submission: Submission, { token }: Offer, row: ClaimedRow): HandedMail {
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
