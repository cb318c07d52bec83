// What makes a second submission the same as a first one: the client's own key, or else all that it sent. Pure.
import { createHash } from 'node:crypto';
import type { Received } from './receive.ts';

export type RepeatKey = {
  /** Same credential and key, same queue id. Undefined for what is never a repeat, and for emails, whose id is their key. */
  readonly key: Buffer | undefined;
  readonly keyLasts: '24 hours' | '7 days';
  /** Of envelope and bytes, where the key says nothing about them: the same key with others is a mistake. */
  readonly digest: Buffer | undefined;
};

export function repeatOf({
  admission: { email, idempotencyKey, broughtMessageId },
  digest,
}: Pick<Received, 'admission' | 'digest'>): RepeatKey {
  if (email) return { key: undefined, keyLasts: '24 hours', digest: undefined };
  if (idempotencyKey !== undefined) {
    const key = createHash('sha256').update(`key ${idempotencyKey}`).digest();
    return { key, keyLasts: '7 days', digest };
  }
  // Many clients send no Message-ID, and the same alert twice is two mails.
  return { key: broughtMessageId ? digest : undefined, keyLasts: '24 hours', digest: undefined };
}
