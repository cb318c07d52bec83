// A message to oneself, for providers that judge a sender only when they have read it.
import { randomUUID } from 'node:crypto';

/** RFC 5322, short lines, no line that begins with a dot. */
export function composeCanary(address: string, now: Date): string {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return [
    `From: <${address}>`,
    `To: <${address}>`,
    'Subject: Postern: the doctor checks whether mail can leave',
    `Date: ${now.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${randomUUID()}@${domain}>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    'Auto-Submitted: auto-generated',
    '',
    'This message was sent by npm run doctor. It shows that the provider accepts mail from this address.',
    'Look at its headers for the results of SPF, DKIM and DMARC.',
  ].join('\r\n');
}
