// Delivery status notifications (RFC 3464): SMTP submitters hear by mail what became of theirs. Pure.
import MimeNode from 'nodemailer/lib/mime-node';
import { dateTime } from '../submission/received.ts';

export type FailedRecipient = {
  readonly address: string;
  /** RFC 3464 §2.3.3: expired mail failed, too. */
  readonly status: 'bounced' | 'expired';
  readonly enhancedCode: string | null;
  /** The provider's last words. */
  readonly reply: string | null;
  readonly reason: string | null;
};

export type Notice = {
  readonly queueId: string;
  /** The sender of the mail that failed. */
  readonly to: string;
  readonly from: { readonly email: string; readonly name?: string | undefined };
  /** What this relay is called. */
  readonly reportingMta: string;
  /** The host that refused, if one did. */
  readonly remoteMta: string | null;
  readonly receivedAt: Date;
  readonly at: Date;
  readonly messageId: string;
  readonly originalMessageId: string;
  readonly originalHeader: string;
  readonly recipients: readonly FailedRecipient[];
};

/** The bytes of a `multipart/report` with text, `message/delivery-status` and the header of the original. */
export async function composeNotice(notice: Notice): Promise<Buffer> {
  const { from, to, at, messageId, originalMessageId } = notice;
  const root = new MimeNode('multipart/report; report-type=delivery-status', { newline: '\r\n' });
  root.setHeader({
    From: { name: from.name ?? 'Mail Delivery', address: from.email },
    To: to,
    Subject: 'Undelivered mail returned to sender',
    Date: dateTime(at),
    'Message-ID': messageId,
    'In-Reply-To': originalMessageId,
    References: originalMessageId,
    // RFC 3834 §5: so that nobody's vacation responder answers a notice.
    'Auto-Submitted': 'auto-replied',
  });
  root.createChild('text/plain; charset=utf-8').setContent(words(notice));
  root.createChild('message/delivery-status').setContent(deliveryStatus(notice));
  root.createChild('text/rfc822-headers').setContent(notice.originalHeader);
  return root.build();
}

/** Whether anybody may be told: never the null sender, and never something that answers by itself (RFC 3834 §2). */
export function mayNotify(sender: string, header: string): boolean {
  if (sender === '') return false;
  const automatic = /^auto-submitted:\s*(\S+)/im.exec(unfold(header))?.[1];
  if (automatic !== undefined && automatic.toLowerCase() !== 'no') return false;
  return !/^precedence:\s*(?:bulk|list|junk)\b/im.test(unfold(header));
}

/** The header of a message: everything up to the first empty line. */
export function headerOf(content: Buffer): string {
  const end = content.indexOf('\r\n\r\n');
  return content.subarray(0, end < 0 ? content.length : end + 2).toString('utf8');
}

const unfold = (header: string) => header.replace(/\r?\n(?=[ \t])/g, '');

function words({ recipients, queueId }: Notice): string {
  const list = recipients.map(({ address, reply, status }) =>
    status === 'expired'
      ? `<${address}>: could not be sent for too long. The last answer was:\r\n    ${oneLine(reply) || 'none'}`
      : `<${address}>: ${oneLine(reply) || 'refused'}`,
  );
  return [
    'Your mail could not be sent to:',
    '',
    ...list,
    '',
    'Nobody will try again. The answers above are those of the mail provider.',
    `Queue id: ${queueId}`,
    '',
  ].join('\r\n');
}

function deliveryStatus({ reportingMta, remoteMta, queueId, receivedAt, recipients, at }: Notice): string {
  const message = [
    `Reporting-MTA: dns; ${reportingMta}`,
    `X-Postern-Queue-ID: ${queueId}`,
    `Arrival-Date: ${dateTime(receivedAt)}`,
  ];
  const each = recipients.map(({ address, status, enhancedCode, reply }) => [
    `Final-Recipient: ${/[^\x20-\x7e]/.test(address) ? 'utf-8' : 'rfc822'}; ${address}`,
    'Action: failed',
    // RFC 3463 §3.5: 4.4.7 is "delivery time expired"; as a failure it is of class 5 (RFC 3464 §2.3.4).
    `Status: ${status === 'expired' ? '5.4.7' : failedStatus(enhancedCode)}`,
    ...(remoteMta && reply ? [`Remote-MTA: dns; ${remoteMta}`] : []),
    ...(reply ? [`Diagnostic-Code: smtp; ${oneLine(reply)}`] : []),
    `Last-Attempt-Date: ${dateTime(at)}`,
  ]);
  return `${[message, ...each].map((lines) => lines.join('\r\n')).join('\r\n\r\n')}\r\n`;
}

/** A failure is of class 5, whatever class the provider's last word had. */
function failedStatus(enhancedCode: string | null): string {
  return enhancedCode?.startsWith('5.') ? enhancedCode : '5.0.0';
}

/** Line ends, and what no header may carry, become spaces. */
function oneLine(text: string | null): string {
  return (text ?? '').replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').trim();
}
