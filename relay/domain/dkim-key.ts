// Reads one DKIM key record (RFC 6376 section 3.6.1, RFC 8463). Pure.
import { createPublicKey } from 'node:crypto';
import { readTagList } from './tag-list.ts';

export type DkimKey =
  | {
      readonly kind: 'key';
      readonly algorithm: 'rsa' | 'ed25519';
      readonly bits: number;
      readonly isTest: boolean;
    }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'broken'; readonly why: string };

/** Undefined for a text that is no key record, such as a verification token under the same name. */
export function readDkimKey(text: string): DkimKey | undefined {
  const { tags, order } = readTagList(text);
  const version = tags.get('v');
  const key = tags.get('p');
  if (version !== undefined && (version !== 'DKIM1' || order[0] !== 'v')) {
    return key === undefined
      ? undefined
      : { kind: 'broken', why: `it must begin with "v=DKIM1", not "v=${version}"` };
  }
  if (key === undefined) return version === undefined ? undefined : { kind: 'broken', why: 'it has no "p="' };
  if (key === '') return { kind: 'revoked' };
  const algorithm = (tags.get('k') ?? 'rsa').toLowerCase();
  if (algorithm !== 'rsa' && algorithm !== 'ed25519')
    return { kind: 'broken', why: `receivers do not know "k=${algorithm}"` };
  const base64 = key.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    return {
      kind: 'broken',
      why: 'its key has characters that no base64 has, such as quotes or backslashes',
    };
  }
  const octets = Buffer.from(base64, 'base64');
  const isTest = (tags.get('t') ?? '').split(':').includes('y');
  if (algorithm === 'ed25519') {
    return octets.length === 32
      ? { kind: 'key', algorithm, bits: 256, isTest }
      : { kind: 'broken', why: `an Ed25519 key has 32 octets, this one ${octets.length}` };
  }
  const bits = rsaBits(octets);
  return bits === undefined
    ? { kind: 'broken', why: 'its key is cut off or damaged: a second part of the text was lost' }
    : { kind: 'key', algorithm, bits, isTest };
}

/** SubjectPublicKeyInfo as most write it, or the bare RSAPublicKey that the RFC names. */
function rsaBits(der: Buffer): number | undefined {
  for (const type of ['spki', 'pkcs1'] as const) {
    try {
      return createPublicKey({ key: der, format: 'der', type }).asymmetricKeyDetails?.modulusLength;
    } catch {
      // The other form, then.
    }
  }
  return undefined;
}
