// The stand-in's own certification authority. Its certificate is what SMTP_CA_FILE points at.
import { readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export type Certificate = { readonly key: string; readonly cert: string };

const dayMs = 86_400_000;

/**
 * Reads the authority kept in `directory`, or makes one: a relay that already trusts it must not be surprised
 * by a restart. The server's certificate is issued anew each time, for `names` (host names and addresses).
 */
export async function openAuthority(
  directory: string,
  names: readonly string[],
): Promise<{ caFile: string; certificate: Certificate }> {
  const caFile = join(directory, 'ca.pem');
  const keyFile = join(directory, 'ca-key.pem');
  const authority = (await read(keyFile, caFile)) ?? (await create(keyFile, caFile));
  return { caFile, certificate: await issue(authority, names) };
}

async function read(keyFile: string, caFile: string): Promise<Certificate | undefined> {
  try {
    return { key: await readFile(keyFile, 'utf8'), cert: await readFile(caFile, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function create(keyFile: string, caFile: string): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: 'Postern stand-in provider' }], {
    ...elliptic(3650),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  // The certificate last: whoever finds it finds the key as well.
  await writeFile(keyFile, made.private, { mode: 0o600 });
  await writeFile(caFile, made.cert);
  return { key: made.private, cert: made.cert };
}

async function issue(ca: Certificate, names: readonly string[]): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: names[0] ?? 'localhost' }], {
    ...elliptic(365),
    ca,
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

/** Valid from yesterday, because clocks of containers and hosts differ. */
const elliptic = (days: number) => ({
  keyType: 'ec' as const,
  algorithm: 'sha256',
  notBeforeDate: new Date(Date.now() - dayMs),
  notAfterDate: new Date(Date.now() + days * dayMs),
});
