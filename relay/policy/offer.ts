// What delivery lets the next commit of accepted mail claim at once, past the queue.
import type { ClaimedMail } from './claimed-mail.ts';

export type Offer = {
  readonly token: string;
  readonly instance: string;
  readonly leaseMs: number;
  /** How many mails of each priority, from 0 on. */
  readonly room: readonly number[];
  /** Whether a lane that is open takes mail of this sender now. */
  welcomes(mail: Pick<ClaimedMail, 'sender' | 'headerFrom'>): boolean;
  /** Called once for each offer, also when the commit failed. */
  claimed(mails: readonly ClaimedMail[]): void;
};

/** What a commit that accepts so many messages may claim; undefined when they all have to queue. */
export type Offering = (messages: number) => Offer | undefined;
