// The token of a link for one-click unsubscription (RFC 8058): who wants no more of which stream, and the mail that
// offered it. Sealed, so that nobody can make or change one, and no log of a proxy holds the address. Such links are used
// years after their mail is forgotten, so all that is needed stands in them.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export type Unsubscription = {
  readonly emailId: string;
  readonly address: string;
  readonly stream: string;
};

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
const idBytes = 16;
// What the seal is for: another kind of token under the same key would not be understood here.
const purpose = Buffer.from('postern unsubscribe 1');

export function sealToken(key: Buffer, { emailId, address, stream }: Unsubscription): string {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(purpose);
  const sealed = Buffer.concat([
    sealing.update(Buffer.from(emailId.replaceAll('-', ''), 'hex')),
    sealing.update(`${stream}\n${address}`, 'utf8'),
    sealing.final(),
  ]);
  return Buffer.concat([nonce, sealed, sealing.getAuthTag()]).toString('base64url');
}

/** Undefined for whatever was not sealed under this key, without a difference. */
export function openToken(key: Buffer, token: string): Unsubscription | undefined {
  if (!/^[\w-]{60,1200}$/.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  // Bits that no octet has would be ignored: one token, one way to write it.
  if (bytes.toString('base64url') !== token) return undefined;
  const opening = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  opening.setAAD(purpose).setAuthTag(bytes.subarray(-tagBytes));
  try {
    const opened = Buffer.concat([opening.update(bytes.subarray(nonceBytes, -tagBytes)), opening.final()]);
    const [stream = '', address = ''] = opened.toString('utf8', idBytes).split('\n');
    return { emailId: uuidOf(opened.subarray(0, idBytes)), stream, address };
  } catch {
    return undefined;
  }
}

const uuidOf = (bytes: Buffer) =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
