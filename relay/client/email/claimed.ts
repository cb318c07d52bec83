// An email that one process hands over, and nobody else meanwhile.
import type { EmailContent } from './email.ts';

/** An email under our lease: until it ends nobody else tries to hand it over. */
export type ClaimedEmail = EmailContent & {
  readonly id: string;
  readonly token: Buffer;
  /** Hand-overs begun, this one included. */
  readonly attempts: number;
  /** How long it had been due when it was claimed, by the database's clock. */
  readonly overdueMs: number;
  readonly hasAttachments: boolean;
  /** Octets of text and HTML. Where they are many, a claim leaves the texts out. */
  readonly textBytes: number;
  readonly attachedBytes: number;
  readonly traceparent: string | null;
};

/** Octets of its texts and attachments. */
export const bytesOf = ({ textBytes, attachedBytes }: ClaimedEmail): number => textBytes + attachedBytes;
