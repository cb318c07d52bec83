// The certificate that the relay shows to submitters: on the day after its last one they all stop sending.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RelayEnvironment } from '../../deploy/environment.ts';

type CertificateFiles = Pick<NonNullable<RelayEnvironment['relayTls']>, 'certFile'>;

const dayMs = 86_400_000;
/** Whoever renews by a program does so earlier. */
const warnDays = 14;

/** Nothing where it cannot be read from here: a relay that cannot read it says so at its start. */
export function notesOnCertificate(files: CertificateFiles | undefined, now: Date): string[] {
  const until = files && untilWhen(files);
  if (!until) return [];
  const days = Math.floor((until.getTime() - now.getTime()) / dayMs);
  if (days >= warnDays) return [];
  const when = until.toISOString().slice(0, 10);
  return [
    `The certificate for submitters in RELAY_TLS_CERT_FILE ${
      until <= now ? `ran out on ${when}` : `runs out on ${when}`
    }: applications that check it ${until <= now ? 'cannot' : 'will not be able to'} hand over mail. Put a new one into the files; the relay reads them again by itself.`,
  ];
}

function untilWhen({ certFile }: CertificateFiles): Date | undefined {
  try {
    return new X509Certificate(readFileSync(certFile)).validToDate;
  } catch {
    return undefined;
  }
}
