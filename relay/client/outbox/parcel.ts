// One email as the relay takes it.
import type { Message } from '../compose/compose.ts';

/** Bytes, envelope, and the token that proves that the email is ours to hand over. */
export type Parcel = {
  readonly id: string;
  readonly token: Buffer;
  /** As a whole, or in pieces, which are asked for again when a session was lost. */
  readonly bytes: Buffer | Message;
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
};

/** Of a message in pieces perhaps a little less than it is. */
export const sizeOf = (bytes: Parcel['bytes']): number =>
  Buffer.isBuffer(bytes) ? bytes.length : bytes.leastBytes;

// The slowest connection to the relay that still counts as one.
const slowestBytesPerMs = 1_000;

/** How long so many octets may take. */
export const msToTransfer = (bytes: number): number => Math.round(bytes / slowestBytesPerMs);
