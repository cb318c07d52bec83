import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { notesOnCertificate } from '../../../relay/doctor/submitters.ts';
import { createAuthority } from '../../kit/certificate.ts';

test('the doctor names a certificate for submitters that runs out within two weeks', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-certificate-'));
  try {
    const { cert } = await (await createAuthority()).issue();
    const files = { certFile: join(folder, 'cert.pem') };
    expect(notesOnCertificate(files, new Date())).toEqual([]);
    await writeFile(files.certFile, cert);
    // It is valid until tomorrow.
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);
    expect(notesOnCertificate(files, inDays(-15))).toEqual([]);
    expect(notesOnCertificate(files, inDays(-12))).toEqual([expect.stringMatching(/ runs out on \d{4}-/)]);
    expect(notesOnCertificate(files, inDays(2))).toEqual([
      expect.stringMatching(/ ran out on \d{4}-.*cannot/),
    ]);
    expect(notesOnCertificate(undefined, inDays(2))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
