// Delivery status notifications (RFC 3464): SMTP submitters hear by mail what became of theirs. Pure.
import MimeNode from 'nodemailer/lib/mime-node';
import { dateTime } from '../../smtp/date-time.ts';
import { decodeXtext } from '../../smtp/xtext.ts';

/** RFC 3464 section 2.3.3. `relayed`: taken by a server that sends no confirmations (RFC 3461 section 5.2.2). */
export type Action = 'failed' | 'delayed' | 'relayed';

export type ReportedRecipient = {
  readonly address: string;
  /** Expired mail failed, too. */
  readonly status: string;
  readonly enhancedCode: string | null;
  /** The provider's last words. */
  readonly reply: string | null;
  readonly reason: string | null;
  /** ORCPT as the submitter gave it. */
  readonly orcpt: string | null;
};

export type Notice = {
  readonly action: Action;
  readonly queueId: string;
  /** The sender of the mail it is about. */
  readonly to: string;
  readonly from: { readonly email: string; readonly name?: string | undefined };
  /** What this relay is called. */
  readonly reportingMta: string;
  /** The host that answered, if one did. */
  readonly remoteMta: string | null;
  readonly receivedAt: Date;
  readonly at: Date;
  readonly messageId: string;
  readonly originalMessageId: string;
  /** ENVID as the submitter gave it. */
  readonly envid: string | null;
  /** The header of the original, or all of it. */
  readonly original: { readonly header: string } | { readonly content: Buffer };
  readonly recipients: readonly ReportedRecipient[];
};

/** The bytes of a `multipart/report` with text, `message/delivery-status` and what is returned of the original. */
export async function composeNotice(notice: Notice): Promise<Buffer> {
  const { action, from, to, at, messageId, original, originalMessageId } = notice;
  const root = new MimeNode('multipart/report; report-type=delivery-status', { newline: '\r\n' });
  root.setHeader({
    From: { name: from.name ?? 'Mail Delivery', address: from.email },
    To: to,
    Subject: subjects[action],
    Date: dateTime(at),
    'Message-ID': messageId,
    'In-Reply-To': originalMessageId,
    References: originalMessageId,
    // RFC 3834 §5: so that nobody's vacation responder answers a notice.
    'Auto-Submitted': 'auto-replied',
  });
  root.createChild('text/plain; charset=utf-8').setContent(words(notice));
  root.createChild('message/delivery-status').setContent(deliveryStatus(notice));
  if ('content' in original) {
    root
      .createChild('message/rfc822')
      .setHeader('Content-Transfer-Encoding', original.content.some((byte) => byte > 127) ? '8bit' : '7bit')
      .setContent(original.content);
  } else root.createChild('text/rfc822-headers').setContent(original.header);
  return root.build();
}

const subjects: Readonly<Record<Action, string>> = {
  failed: 'Undelivered mail returned to sender',
  delayed: 'Delayed mail (still being tried)',
  relayed: 'Mail passed on to the mail provider',
};

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

function words({ action, recipients, queueId }: Notice): string {
  const [title, end] = sentences[action];
  const list = recipients.map(({ address, reply, status }) =>
    status === 'expired'
      ? `<${address}>: could not be sent for too long. The last answer was:\r\n    ${oneLine(reply) || 'none'}`
      : `<${address}>: ${oneLine(reply) || withoutReply[action]}`,
  );
  return [title, '', ...list, '', end, `Queue id: ${queueId}`, ''].join('\r\n');
}

const sentences: Readonly<Record<Action, readonly [string, string]>> = {
  failed: [
    'Your mail could not be sent to:',
    'Nobody will try again. The answers above are those of the mail provider.',
  ],
  delayed: [
    'Your mail could not be sent yet to:',
    'You need not send it again: it is kept, and will be tried again. The answers above are those of the mail provider.',
  ],
  relayed: [
    'The mail provider has taken your mail for:',
    'The provider sends no confirmations. That it was delivered to the mailbox is not known.',
  ],
};

const withoutReply: Readonly<Record<Action, string>> = {
  failed: 'refused',
  delayed: 'the mail provider has not been reached yet',
  relayed: 'accepted',
};

function deliveryStatus(notice: Notice): string {
  const { action, reportingMta, remoteMta, queueId, receivedAt, recipients, at, envid } = notice;
  const message = [
    // RFC 3464 §2.2.1.
    ...(envid === null ? [] : [`Original-Envelope-Id: ${oneLine(decodeXtext(envid))}`]),
    `Reporting-MTA: dns; ${reportingMta}`,
    `X-Postern-Queue-ID: ${queueId}`,
    `Arrival-Date: ${dateTime(receivedAt)}`,
  ];
  const each = recipients.map((recipient) => {
    const { address, reply, orcpt } = recipient;
    return [
      ...(orcpt === null ? [] : [`Original-Recipient: ${originalRecipient(orcpt)}`]),
      `Final-Recipient: ${/[^\x20-\x7e]/.test(address) ? 'utf-8' : 'rfc822'}; ${address}`,
      `Action: ${action}`,
      `Status: ${statusCode(action, recipient)}`,
      ...(remoteMta && reply ? [`Remote-MTA: dns; ${remoteMta}`] : []),
      ...(reply ? [`Diagnostic-Code: smtp; ${oneLine(reply)}`] : []),
      ...(action === 'delayed' ? [] : [`Last-Attempt-Date: ${dateTime(at)}`]),
    ];
  });
  return `${[message, ...each].map((lines) => lines.join('\r\n')).join('\r\n\r\n')}\r\n`;
}

/** RFC 3464 §2.3.1: the type as given, the address without its xtext. */
function originalRecipient(orcpt: string): string {
  const at = orcpt.indexOf(';');
  return `${orcpt.slice(0, at)}; ${oneLine(decodeXtext(orcpt.slice(at + 1)))}`;
}

/** The class goes with the action (RFC 3464 §2.3.4), whatever class the provider's last word had. */
function statusCode(action: Action, { status, enhancedCode }: ReportedRecipient): string {
  // RFC 3463 §3.5: 4.4.7 is "delivery time expired"; as a failure it is of class 5.
  if (action === 'failed' && status === 'expired') return '5.4.7';
  const wanted = { failed: '5', delayed: '4', relayed: '2' }[action];
  return enhancedCode?.startsWith(`${wanted}.`) ? enhancedCode : `${wanted}.0.0`;
}

/** Line ends, and what no header may carry, become spaces. */
function oneLine(text: string | null): string {
  return (text ?? '').replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').trim();
}
