// What a mail in the sending mailbox turned out to say.
import type { Cause } from '../verdict/catalogue.ts';
import type { Command } from './command.ts';

/** RFC 3464 §2.3.3; `complaint` is a report after RFC 5965 that somebody called the mail unwanted. */
export type Action = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded' | 'complaint';

/** What a report says about one recipient, before anybody judges it. */
export type Finding = {
  /** The address we wrote to, where the report knows it (RFC 3464 §2.3.1), else the one that failed. */
  readonly address: string;
  /** The address that failed, when mail was forwarded to it. */
  readonly finalAddress: string;
  readonly action: Action;
  /** RFC 3463; empty when the report names none. */
  readonly status: string;
  /** The words that tell why, at most a thousand characters. */
  readonly reply: string;
  /** After what it was said, where the report tells. */
  readonly command?: Command | undefined;
};

export type ReportedRecipient = Omit<Finding, 'command'> & {
  /** The SMTP reply code, when the words hold one. */
  readonly code: string;
  /** The address itself is at fault and will be tomorrow: unknown, moved, or at a domain that takes no mail. */
  readonly hard: boolean;
  /** Null when nothing failed. */
  readonly cause: Cause | null;
};

/** By what the report names the mail it is about: from the returned part, never from the report's own header. */
export type Returned = {
  /** Without angle brackets; the mail's own first, then what servers on the way called it before or after. */
  readonly messageIds: readonly string[];
  /** Ids under which servers on the way had it, ours among them. */
  readonly queueIds: readonly string[];
  /** Ours, in the address to which the report came (BOUNCE_VERP): the one thing that its own header may tell. */
  readonly addressedIds: readonly string[];
  /** The envelope id we gave (RFC 3461 §4.4). */
  readonly envelopeId: string | undefined;
};

export type Report = { readonly recipients: readonly ReportedRecipient[]; readonly returned: Returned };

export type Reading =
  | ({ readonly outcome: 'report' } & Report)
  /** Ordinary mail, or an answer that a machine gave for a person. */
  | { readonly outcome: 'none' }
  /** Nothing could be learned from these bytes. */
  | { readonly outcome: 'unreadable'; readonly why: string };

/** A report about more recipients than a mail can have is no report of ours. */
export const recipientLimit = 100;

export const replyLimit = 1000;
