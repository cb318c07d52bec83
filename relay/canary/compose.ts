// A mail to oneself, known again by a token in its subject: providers give mail other Message-IDs, and leave that alone.

const words = 'Postern test mail';

/** RFC 5322, short lines, no line that begins with a dot. */
export function composeCanary(canary: {
  readonly token: string;
  readonly from: string;
  readonly to: string;
  readonly messageId: string;
  readonly date: string;
}): Buffer {
  const { token, from, to, messageId, date } = canary;
  const lines = [
    `From: <${from}>`,
    `To: <${to}>`,
    `Subject: ${words} ${token}`,
    `Date: ${date}`,
    `Message-ID: ${messageId}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    // RFC 3834 section 5: so that nobody's vacation responder answers it.
    'Auto-Submitted: auto-generated',
    '',
    'Postern has sent this mail to itself to see how it arrives: in which folder,',
    'and what the server that took it says of SPF, DKIM and DMARC.',
    'You can delete it. It is sent once a day at most, and when somebody asks for it.',
    '',
  ];
  return Buffer.from(lines.join('\r\n'));
}

/**
 * 128 random bits, which only the servers on the way and the mailbox see. A filter may have put a mark in front of them,
 * such as `[SPAM]`; "Undeliverable: …" is the subject of a report.
 */
export const tokenIn = (subject: string): string | undefined =>
  new RegExp(`^(?:[\\[*{]{1,5}[^\\]*}]{1,30}[\\]*}]{1,5}\\s*)?${words} ([0-9a-f]{32})$`).exec(
    subject.trim(),
  )?.[1];
