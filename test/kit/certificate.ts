// Certificates for servers of a test: made at start, valid only for whom the test says, trusted by nobody else.
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { generate } from 'selfsigned';

type Certificate = { readonly key: string; readonly cert: string };

export type Authority = Certificate & {
  readonly issue: (wishes?: CertificateWishes) => Promise<Certificate>;
};

export type CertificateWishes = {
  /** Names and addresses it is valid for. */
  readonly names?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Signed by itself instead of by the authority. */
  readonly selfSigned?: boolean;
};

const dayMs = 86_400_000;

/** A certification authority that exists as long as the test's process. */
export async function createAuthority(): Promise<Authority> {
  const validity = { notBefore: new Date(Date.now() - 3650 * dayMs), notAfter: new Date(Date.now() + dayMs) };
  // Several authorities may be told apart by their name; OpenSSL looks issuers up by it.
  const made = await generate(
    [{ name: 'commonName', value: `Test authority ${randomBytes(4).toString('hex')}` }],
    {
      ...elliptic(validity),
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    },
  );
  const ca = { key: made.private, cert: made.cert };
  return { ...ca, issue: (wishes) => issue(ca, wishes) };
}

/** An application's own certificate, with an RSA key: Microsoft takes no other. */
export async function createClientCertificate(): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: 'Test application' }], {
    keyType: 'rsa',
    keySize: 2048,
    algorithm: 'sha256',
  });
  return { key: made.private, cert: made.cert };
}

async function issue(ca: Certificate, wishes: CertificateWishes = {}): Promise<Certificate> {
  const {
    names = ['localhost', '127.0.0.1', '::1'],
    notBefore = new Date(Date.now() - dayMs),
    notAfter = new Date(Date.now() + dayMs),
    selfSigned = false,
  } = wishes;
  const made = await generate([{ name: 'commonName', value: names[0] ?? 'nobody' }], {
    ...elliptic({ notBefore, notAfter }),
    ...(selfSigned ? {} : { ca }),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })),
      },
    ],
  });
  return { key: made.private, cert: made.cert };
}

const elliptic = ({ notBefore, notAfter }: { notBefore: Date; notAfter: Date }) => ({
  keyType: 'ec' as const,
  algorithm: 'sha256',
  notBeforeDate: notBefore,
  notAfterDate: notAfter,
});
