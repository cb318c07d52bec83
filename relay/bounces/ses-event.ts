// Amazon's notices about mail sent through SES, where SNS mails them: JSON as the text of a mail.
// https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
import { type Finding, recipientLimit, replyLimit } from './report.ts';

type Event = {
  /** The event in the envelope of SNS, unless it was told to send it raw. */
  readonly Message?: unknown;
  readonly notificationType?: unknown;
  readonly eventType?: unknown;
  readonly mail?: {
    readonly destination?: unknown;
    readonly commonHeaders?: { readonly messageId?: unknown };
  };
  readonly bounce?: { readonly bouncedRecipients?: unknown; readonly bounceType?: unknown };
  readonly complaint?: { readonly complainedRecipients?: unknown; readonly complaintFeedbackType?: unknown };
  readonly delivery?: { readonly recipients?: unknown; readonly smtpResponse?: unknown };
};

export type SesEvent = { readonly findings: readonly Finding[]; readonly messageIds: readonly string[] };

/** Undefined when the text is nothing of the kind. */
export function readSesEvent(text: string): SesEvent | undefined {
  const start = text.trimStart();
  if (!/^\{\s*"/.test(start) || !/\b(?:notification|event)Type\b/.test(start.slice(0, 4000)))
    return undefined;
  // Lines that were too long for a mail were broken on the way.
  const event = parse(start.slice(0, start.lastIndexOf('}') + 1).replaceAll(/!?\r?\n ?/g, ''));
  if (event === undefined) return undefined;
  if (typeof event.Message === 'string') return readSesEvent(event.Message.slice(0, 256 * 1024));
  const id = event.mail?.commonHeaders?.messageId;
  return {
    findings: findingsOf(event)
      .filter(({ address }) => address.includes('@'))
      .slice(0, recipientLimit),
    messageIds: typeof id === 'string' ? [id] : [],
  };
}

function parse(text: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function findingsOf(event: Event): Finding[] {
  const kind = String(event.notificationType ?? event.eventType);
  if (kind === 'Bounce') {
    return recordsOf(event.bounce?.bouncedRecipients).map((each) =>
      finding(
        each.emailAddress,
        'failed',
        each.status,
        String(each.diagnosticCode ?? '').replace(/^smtp;\s*/i, ''),
      ),
    );
  }
  if (kind === 'Complaint') {
    const why = event.complaint?.complaintFeedbackType;
    return recordsOf(event.complaint?.complainedRecipients).map((each) =>
      finding(each.emailAddress, 'complaint', '', why),
    );
  }
  const { recipients, smtpResponse } = event.delivery ?? {};
  if (kind !== 'Delivery' || !Array.isArray(recipients)) return [];
  const status = /[245]\.\d{1,3}\.\d{1,3}/.exec(text(smtpResponse))?.[0];
  return recipients.map((each: unknown) => finding(each, 'delivered', status, smtpResponse));
}

const recordsOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : [];

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const finding = (address: unknown, action: Finding['action'], status: unknown, reply: unknown): Finding => ({
  address: text(address).slice(0, 320),
  finalAddress: text(address).slice(0, 320),
  action,
  status: text(status),
  reply: text(reply).slice(0, replyLimit),
});
