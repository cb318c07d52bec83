// The certificate that the relay shows to submitters: on the day after its last one they all stop sending.
import { type CertificateFiles, readCertificate, validUntil } from '../submission/certificate.ts';

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

function untilWhen(files: CertificateFiles): Date | undefined {
  try {
    return validUntil(readCertificate(files));
  } catch {
    return undefined;
  }
}
