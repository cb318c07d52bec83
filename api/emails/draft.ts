// A single email as a caller asks for it, and how it becomes the draft that relay/client stores.
import { z } from 'zod';
import type { EmailDraft } from '../../relay/client/email/draft.ts';
import type { Address, HeaderField, Recipient } from '../../relay/client/email/email.ts';
import { withTagsOfKey } from '../../relay/client/email/tag.ts';
import type { Principal } from '../authenticate.ts';
import { line, prose } from '../fields.ts';
import { mailTags, stream } from '../tags.ts';
import type { Unsubscribe } from '../unsubscribe/unsubscribe.ts';
import { attachment, toAttachment } from './attachment.ts';
import { headers } from './headers.ts';
import { listUnsubscribe, type OneClick, unsubscribeFields } from './list-unsubscribe.ts';
import { mailbox, mailboxes, maxRecipients } from './mailbox.ts';

export const isoDuration = z
  .string()
  .regex(
    /^P(?=.)(?:\d{1,4}D)?(?:T(?=.)(?:\d{1,5}H)?(?:\d{1,6}M)?(?:\d{1,8}S)?)?$/,
    'must be an ISO 8601 duration such as PT24H or P2D',
  )
  .meta({ examples: ['PT24H'] });

/** How a time is said: with its offset, or as a local time beside an IANA zone. */
export const scheduleFields = {
  scheduled_datetime: z
    .string()
    .max(40)
    .optional()
    .meta({
      description: 'RFC 3339 with an offset, or a local time together with `time_zone`. Absent means now.',
      examples: ['2026-03-01T09:00:00+01:00'],
    }),
  time_zone: z
    .string()
    .max(64)
    .optional()
    .meta({
      description: 'IANA name, such as Europe/Berlin. With a time that has an offset, both must agree.',
      examples: ['Europe/Berlin'],
    }),
};

const always = ({ value }: { value: unknown }) => typeof value === 'object' && value !== null;

// Called with what arrived as well, so nothing is known of the shape.
const countRecipients = (draft: { to?: unknown; cc?: unknown; bcc?: unknown }) =>
  [draft.to, draft.cc, draft.bcc].flatMap((given) => given ?? []).length;

const setsUnsubscribe = (headers: unknown) =>
  typeof headers === 'object' &&
  headers !== null &&
  Object.keys(headers).some((name) => /^list-unsubscribe(-post)?$/i.test(name));

export const emailDraft = z
  .strictObject({
    from: mailbox.optional().meta({ description: 'One of the allowed senders; by default SMTP_FROM_EMAIL.' }),
    to: mailboxes().optional(),
    cc: mailboxes().optional(),
    bcc: mailboxes().optional(),
    reply_to: mailboxes().optional(),
    subject: line(900),
    text: prose(2_000_000).min(1, 'must not be empty').optional(),
    html: prose(5_000_000).min(1, 'must not be empty').optional(),
    headers: headers.optional(),
    list_unsubscribe: listUnsubscribe.optional(),
    attachments: z.array(attachment).max(20, 'must have at most 20 entries').optional(),
    ...scheduleFields,
    max_lateness: isoDuration
      .optional()
      .meta({ description: 'If it is not sent within this time after it is due, it becomes `expired`.' }),
    on_uncertain: z.enum(['resend', 'hold']).optional(),
    tags: mailTags.optional(),
    stream: stream.optional(),
    ignore_suppression: z.boolean().optional().meta({
      description:
        'Send it also to addresses on the suppression list. Only with the scope `admin`; else 403.',
    }),
  })
  // Also when other fields are at fault: whoever corrects those should not learn of these only then.
  .refine((draft) => countRecipients(draft) > 0, {
    path: ['to'],
    error: 'needs at least one address',
    when: always,
  })
  .refine((draft) => countRecipients(draft) <= maxRecipients, {
    path: ['to'],
    error: `may have at most ${maxRecipients} together with cc and bcc`,
    when: always,
  })
  .refine((draft) => draft.list_unsubscribe?.stream === undefined || countRecipients(draft) === 1, {
    path: ['list_unsubscribe'],
    error: 'with a stream needs exactly one recipient, with cc and bcc',
    when: always,
  })
  .refine(({ list_unsubscribe: one, stream: its }) => !one?.stream || !its || one.stream === its, {
    path: ['stream'],
    error: 'must be the stream of list_unsubscribe, or be left out',
    when: always,
  })
  .refine(({ list_unsubscribe: one, headers }) => !one || !setsUnsubscribe(headers), {
    path: ['list_unsubscribe'],
    error: 'is given beside headers that say List-Unsubscribe',
    when: always,
  })
  .refine((draft) => draft.text !== undefined || draft.html !== undefined, {
    path: ['text'],
    error: 'is required unless html is given',
    when: always,
  })
  .meta({ id: 'EmailDraft' });

// Attachments of one message of 25 MB in base64, and what surrounds them.
export const emailBodyLimit = 36 * 1024 * 1024;

export const exampleEmail = {
  to: [{ address: 'ann@example.com', name: 'Ann Example' }],
  subject: 'Your receipt',
  text: 'Thank you for your order.',
  html: '<p>Thank you for your order.</p>',
  headers: { 'X-Order': '4711' },
};

export type RequestedEmail = z.output<typeof emailDraft>;

/** What has to be known beside the request to accept it. */
export type EmailContext = {
  readonly sender: Address | undefined;
  /** Undefined while no relay has said which; the relay itself then decides. */
  readonly allowedSenders: readonly string[] | undefined;
  /** Bytes of a whole message. */
  readonly maxMessageSize: number;
  readonly principal: Principal;
  readonly unsubscribe: Unsubscribe;
  readonly traceparent: string;
};

/** When it should leave, as due.ts read it. */
export type Due = Pick<EmailDraft, 'dueAt' | 'timeZone' | 'localTime'>;

/** Makes the draft of a mail that was checked. */
export function toDraft(
  requested: RequestedEmail,
  due: Due,
  { sender, principal, traceparent }: EmailContext,
  oneClick?: OneClick,
): EmailDraft {
  return {
    id: oneClick?.emailId,
    kind: due.dueAt ? 'scheduled' : 'single',
    // A bare address that is the default sender keeps the default name.
    from:
      requested.from?.name === undefined && requested.from?.address === sender?.address
        ? sender
        : (requested.from ?? sender),
    replyTo: requested.reply_to,
    recipients: [...as('to', requested.to), ...as('cc', requested.cc), ...as('bcc', requested.bcc)],
    subject: requested.subject,
    text: requested.text,
    html: requested.html,
    headers: headersOf(requested, oneClick?.link ?? requested.list_unsubscribe?.url),
    attachments: requested.attachments?.map(toAttachment),
    ...due,
    maxLateness: requested.max_lateness,
    onUncertain: requested.on_uncertain,
    apiKeyId: principal.apiKeyId,
    traceparent,
    tags: withTagsOfKey(requested.tags ?? [], principal.sends?.tags),
    stream: requested.stream ?? requested.list_unsubscribe?.stream,
    ignoreSuppression: requested.ignore_suppression,
  };
}

const as = (kind: Recipient['kind'], addresses: readonly Address[] = []): Recipient[] =>
  addresses.map((each) => ({ kind, ...each }));

function headersOf(requested: RequestedEmail, unsubscribeLink: string | undefined): HeaderField[] {
  const fields = Object.entries(requested.headers ?? {}).map(([name, value]) => ({ name, value }));
  return unsubscribeLink === undefined ? fields : [...fields, ...unsubscribeFields(unsubscribeLink)];
}
