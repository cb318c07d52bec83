// The email: what a caller asked for, from its draft to what became of it. The row is also the outbox: a mail
// waits here until the relay has taken responsibility for it, so nothing but this row must be written by a request.
import type { EmailKind, Status, UncertainPolicy } from '../vocabulary.ts';
import type { Tag } from './tag.ts';

export type Address = { readonly address: string; readonly name?: string | undefined };

export type Recipient = Address & { readonly kind: 'to' | 'cc' | 'bcc' };

export type HeaderField = { readonly name: string; readonly value: string };

/** The part of an email that becomes a message. */
export type EmailContent = {
  readonly from: Address;
  readonly replyTo: readonly Address[];
  readonly recipients: readonly Recipient[];
  readonly subject: string;
  readonly text: string | null;
  readonly html: string | null;
  readonly headers: readonly HeaderField[];
  readonly messageId: string;
  readonly dueAt: Date;
};

/** An email as it stands now. Bodies are null once they were erased (`erasedAt`). */
export type Email = Omit<EmailContent, 'from'> & {
  readonly id: string;
  readonly kind: EmailKind;
  readonly status: Status;
  /** A cause slug, and the same in words. */
  readonly reason: string | null;
  readonly reasonDetail: string | null;
  readonly apiKeyId: string | null;
  readonly apiKeyName: string | null;
  readonly customerId: string | null;
  readonly clientId: string | null;
  readonly entryKey: string | null;
  /** The email that this one sends again. */
  readonly againOf: string | null;
  /** Null while no From address is configured. */
  readonly from: Address | null;
  readonly timeZone: string | null;
  readonly localTime: string | null;
  readonly maxLateness: string | null;
  readonly onUncertain: UncertainPolicy | null;
  readonly priority: number;
  readonly paused: boolean;
  readonly tags: readonly Tag[];
  readonly stream: string | null;
  readonly ignoreSuppression: boolean;
  readonly queueId: string | null;
  readonly handOverAttempts: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly acceptedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly erasedAt: Date | null;
  /** Of the request that asked for it; null for mail from before traces were kept. */
  readonly traceId: string | null;
  /** How long after its due time it was sent, or else taken by the relay; null before that. */
  readonly latenessMs: number | null;
};
