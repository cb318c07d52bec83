// JSON Web Tokens by which we prove who we are (RFC 7523). Node's own crypto signs them: we make two fixed forms and
// never read one, so a library would add an attack surface and spare ten lines.
import { constants, randomUUID, sign, X509Certificate } from 'node:crypto';
import type { OAuth2Reading } from '../../deploy/oauth2.ts';

type Claims = Readonly<Record<string, string | number>>;

/** A clock that is ahead must not make it valid only later. */
const backdatedSeconds = 60;

/** As Microsoft wants it of an application with a certificate: PS256, the certificate named by its SHA-256. */
export function clientAssertion(
  { cert, key }: NonNullable<OAuth2Reading['certificate']>,
  { clientId, tokenUrl, nowMs }: { clientId: string; tokenUrl: string; nowMs: number },
): string {
  const thumbprint = Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(':', ''), 'hex');
  const now = Math.floor(nowMs / 1_000);
  return jwt(
    { alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint.toString('base64url') },
    {
      aud: tokenUrl,
      iss: clientId,
      sub: clientId,
      jti: randomUUID(),
      nbf: now - backdatedSeconds,
      iat: now - backdatedSeconds,
      exp: now + 300,
    },
    key,
  );
}

/** As Google wants it of a service account that acts for a mailbox: RS256, valid for an hour at most. */
export function serviceAccountAssertion(
  { clientEmail, privateKey, keyId }: NonNullable<OAuth2Reading['serviceAccount']>,
  { mailbox, scope, tokenUrl, nowMs }: { mailbox: string; scope: string; tokenUrl: string; nowMs: number },
): string {
  const now = Math.floor(nowMs / 1_000);
  return jwt(
    { alg: 'RS256', typ: 'JWT', ...(keyId !== undefined && { kid: keyId }) },
    { iss: clientEmail, sub: mailbox, scope, aud: tokenUrl, iat: now - backdatedSeconds, exp: now + 3_000 },
    privateKey,
  );
}

function jwt(header: Claims & { alg: 'PS256' | 'RS256' }, claims: Claims, key: string): string {
  const encode = (part: Claims) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode(header)}.${encode(claims)}`;
  // RFC 7518 §3.5: PSS, with a salt as long as the digest.
  const padding =
    header.alg === 'PS256'
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : {};
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, ...padding }).toString('base64url')}`;
}
