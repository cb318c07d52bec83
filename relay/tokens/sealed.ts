// What lies in the database about a grant, readable only for whoever has the secret it was fetched with: AES-256-GCM
// under a key of its own (HKDF, RFC 5869) for each time it is written.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

export type Grant = {
  readonly accessToken?: string;
  /** The newest, and the one before, until the newest has proved good. */
  readonly refreshToken?: string;
  readonly previousRefreshToken?: string;
  /** Why the last request came to nothing. */
  readonly failure?: { readonly reply?: string; readonly message?: string; readonly code?: string };
};

export type Sealed = { readonly salt: Buffer; readonly sealed: Buffer };

const keyOf = (secret: string, salt: Buffer) =>
  Buffer.from(hkdfSync('sha256', secret, salt, 'postern oauth2 grant', 32));

/** @param row what the row is called: another row's content must not be taken for this one's */
export function seal(grant: Grant, secret: string, row: Buffer): Sealed {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret, salt), nonce).setAAD(row);
  const words = Buffer.concat([cipher.update(JSON.stringify(grant), 'utf8'), cipher.final()]);
  return { salt, sealed: Buffer.concat([nonce, cipher.getAuthTag(), words]) };
}

/** Undefined for what was sealed with another secret, or changed since. */
export function unseal({ salt, sealed }: Sealed, secret: string, row: Buffer): Grant | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(secret, salt), sealed.subarray(0, 12))
      .setAAD(row)
      .setAuthTag(sealed.subarray(12, 28));
    const words = Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
    return JSON.parse(words.toString('utf8')) as Grant;
  } catch {
    return undefined;
  }
}
