// What makes a second submission the same as a first one: the client's own key, or else all that it sent. Pure.
import { createHash } from 'node:crypto';
import type { Received } from './receive.ts';

export type RepeatKey = {
  /** X-Postern-Idempotency-Key, hashed: the same credential and key answer the same queue id for 7 days. */
  readonly key: Buffer | undefined;
  /**
   * Of credential, envelope and bytes. With a key the same key with others is a mistake; without one the same again
   * within 24 hours is a repeat. Undefined for what is never a repeat, and for emails, whose id is their key.
   */
  readonly digest: Buffer | undefined;
};

export function repeatOf({
  admission: { email, idempotencyKey, broughtMessageId },
  digest,
}: Pick<Received, 'admission' | 'digest'>): RepeatKey {
  if (email) return { key: undefined, digest: undefined };
  if (idempotencyKey !== undefined) {
    const key = createHash('sha256').update(`key ${idempotencyKey}`).digest();
    return { key, digest };
  }
  // Many clients send no Message-ID, and the same alert twice is two mails.
  return { key: undefined, digest: broughtMessageId ? digest : undefined };
}
