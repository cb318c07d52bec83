// Links for one-click unsubscription (RFC 8058), made and understood under a key of the database.
import { hkdfSync } from 'node:crypto';
import type { Queryable } from '../../deploy/database.ts';
import { openPublicDoor, proofOf } from './public-door.ts';
import { openToken, sealToken, type Unsubscription } from './token.ts';

export type LinkTo = (unsubscription: Unsubscription) => string;

export type Unsubscribe = {
  /** How links are made, or why none can be made, as the end of a sentence. */
  links(): Promise<{ readonly linkTo: LinkTo } | { readonly fault: string }>;
  /** What a token says; undefined when it is none of ours. */
  read(token: string): Unsubscription | undefined;
  /** That this is a process of the database that made the links (public-door.ts). */
  prove(question: string): string;
};

export async function openUnsubscribe(database: Queryable, givenUrl: string): Promise<Unsubscribe> {
  const publicUrl = givenUrl.replace(/\/+$/, '');
  const { rows } = await database.query<{ key: Buffer }>('select key from unsubscribe_key');
  const secret = rows[0]?.key;
  if (!secret) throw new Error('The table unsubscribe_key is empty');
  const tokenKey = derive(secret, 'token');
  const doorKey = derive(secret, 'door');
  const door = openPublicDoor({ publicUrl, key: doorKey });
  return {
    async links() {
      const fault = await door.fault();
      if (fault !== undefined) return { fault };
      return { linkTo: (what) => `${publicUrl}/unsubscribe/${sealToken(tokenKey, what)}` };
    },
    read: (token) => openToken(tokenKey, token),
    prove: (question) => proofOf(doorKey, question),
  };
}

const derive = (secret: Buffer, purpose: string) =>
  Buffer.from(hkdfSync('sha256', secret, '', `postern unsubscribe ${purpose}`, 32));
