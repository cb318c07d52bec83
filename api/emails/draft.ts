// A single mail as a caller asks for it, and its way to the draft that relay/client stores.
import { z } from 'zod';
import { isReservedHeader } from '../../relay/client/compose.ts';
import type { Address, Attachment, EmailDraft, HeaderField, Recipient } from '../../relay/client/email.ts';
import { address, isAddress, line, prose } from '../fields.ts';
import type { Fault } from '../problem.ts';

const namedAddress = z
  .strictObject({ address, name: line(200).optional() })
  .meta({ examples: [{ address: 'ann@example.com', name: 'Ann Example' }] });

// `Ann Example <ann@example.com>`: one mailbox and nothing that could be read as two.
const mailboxShape = /^([^<>",;:@\\()[\]]+) <([^<>\s]+)>$/;

const mailboxText = line(500).refine(
  (text) => isAddress(text) || isAddress(mailboxShape.exec(text)?.[2] ?? ''),
  { error: 'must be ann@example.com or Ann Example <ann@example.com>' },
);

export const mailbox = z.union([mailboxText, namedAddress]).transform(toAddress);

function toAddress(given: z.output<typeof mailboxText> | z.output<typeof namedAddress>): Address {
  if (typeof given !== 'string') return given;
  const [, name, bare] = mailboxShape.exec(given) ?? [];
  return name === undefined || bare === undefined ? { address: given } : { address: bare, name: name.trim() };
}

const maxRecipients = 50;

const mailboxes = z
  .union([mailbox, z.array(mailbox).max(maxRecipients, `must have at most ${maxRecipients} entries`)])
  .transform((given) => (Array.isArray(given) ? given : [given]));

// What a mail may say about itself. Everything else is the composer's, the envelope's or the next hop's.
const safeHeader =
  /^(?:x-[a-z0-9-]+|list-[a-z-]+|in-reply-to|references|auto-submitted|precedence|importance|priority|organization|keywords|feedback-id|entity-ref-id)$/i;

const headers = z
  .record(z.string(), line(900))
  .superRefine((given, context) => {
    const names = Object.keys(given);
    if (names.length > 50) context.addIssue({ code: 'custom', message: 'must have at most 50 entries' });
    const seen = new Set<string>();
    for (const name of names) {
      const refuse = (message: string) => context.addIssue({ code: 'custom', path: [name], message });
      if (seen.has(name.toLowerCase())) refuse('is there twice, in another case');
      seen.add(name.toLowerCase());
      if (name.length > 76 || !safeHeader.test(name) || isReservedHeader(name)) {
        refuse('may not be set; X-… and List-… fields, In-Reply-To, References and a few others may');
      }
    }
  })
  .meta({ examples: [{ 'X-Order': '4711' }] });

// RFC 4648 section 4, checked without a regular expression that would backtrack over megabytes.
function isBase64(text: string): boolean {
  if (text.length % 4 !== 0) return false;
  const body = text.replace(/={0,2}$/, '');
  return !/[^A-Za-z0-9+/]/.test(body);
}

const attachment = z.strictObject({
  filename: line(255).refine((name) => !/[/\\]/.test(name), { error: 'must not contain / or \\' }),
  content: z
    .string()
    .refine(isBase64, { error: 'must be base64 (RFC 4648 section 4)' })
    .meta({ contentEncoding: 'base64' }),
  content_type: z
    .string()
    .max(127)
    .regex(/^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/i, 'must be a media type such as application/pdf')
    .default('application/octet-stream'),
  content_id: z
    .string()
    .regex(/^[\w.@+-]{1,200}$/, 'must be letters, digits and . @ + - _')
    .optional()
    .meta({ description: 'For images that the HTML shows as `cid:`.' }),
});

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
    .meta({ description: 'IANA name, such as Europe/Berlin.', examples: ['Europe/Berlin'] }),
};

const always = ({ value }: { value: unknown }) => typeof value === 'object' && value !== null;

// Called with what arrived as well, so nothing is known of the shape.
const countRecipients = (draft: { to?: unknown; cc?: unknown; bcc?: unknown }) =>
  [draft.to, draft.cc, draft.bcc].flatMap((given) => given ?? []).length;

export const emailDraft = z
  .strictObject({
    from: mailbox.optional().meta({ description: 'One of the allowed senders; by default SMTP_FROM_EMAIL.' }),
    to: mailboxes.optional(),
    cc: mailboxes.optional(),
    bcc: mailboxes.optional(),
    reply_to: mailboxes.optional(),
    subject: line(900),
    text: prose(2_000_000).min(1, 'must not be empty').optional(),
    html: prose(5_000_000).min(1, 'must not be empty').optional(),
    headers: headers.optional(),
    list_unsubscribe: z
      .strictObject({
        url: z
          .url({ protocol: /^https$/, error: 'must be an https address' })
          .max(800)
          .refine((url) => /^[\x21-\x7e]+$/.test(url) && !/[<>]/.test(url), { error: 'must be plain ASCII' }),
      })
      .optional()
      .meta({ description: 'Adds List-Unsubscribe with one click (RFC 8058): the address is POSTed to.' }),
    attachments: z.array(attachment).max(20, 'must have at most 20 entries').optional(),
    ...scheduleFields,
    max_lateness: isoDuration
      .optional()
      .meta({ description: 'Later than this after its time it is not sent but becomes `expired`.' }),
    on_uncertain: z.enum(['resend', 'hold']).optional(),
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
  .refine((draft) => draft.text !== undefined || draft.html !== undefined, {
    path: ['text'],
    error: 'is required unless html is given',
    when: always,
  })
  .meta({ id: 'EmailDraft' });

export type AskedEmail = z.output<typeof emailDraft>;

/** What has to be known beside the request to accept it. */
export type Surroundings = {
  readonly sender: Address | undefined;
  /** Undefined while no relay has said which; the relay itself then decides. */
  readonly allowedSenders: readonly string[] | undefined;
  /** Bytes of a whole message. */
  readonly maxMessageSize: number;
  readonly apiKeyId: string | undefined;
  readonly traceparent: string;
};

/** When it should leave, as due.ts read it. */
export type Due = Pick<EmailDraft, 'dueAt' | 'timeZone' | 'localTime'>;

/** What cannot be accepted here and now, although its shape is right. */
export function checkAgainst(
  asked: AskedEmail,
  { allowedSenders, maxMessageSize }: Pick<Surroundings, 'allowedSenders' | 'maxMessageSize'>,
): Fault[] {
  return [...checkSender(asked.from, allowedSenders), ...checkSize(asked, maxMessageSize)];
}

/** Makes the draft of a mail that was checked. */
export function toDraft(
  asked: AskedEmail,
  due: Due,
  { sender, apiKeyId, traceparent }: Surroundings,
): EmailDraft {
  return {
    kind: due.dueAt ? 'scheduled' : 'single',
    // A bare address that is the default sender keeps the default name.
    from:
      asked.from?.name === undefined && asked.from?.address === sender?.address
        ? sender
        : (asked.from ?? sender),
    replyTo: asked.reply_to,
    recipients: [...as('to', asked.to), ...as('cc', asked.cc), ...as('bcc', asked.bcc)],
    subject: asked.subject,
    text: asked.text,
    html: asked.html,
    headers: headersOf(asked),
    attachments: asked.attachments?.map(toAttachment),
    ...due,
    maxLateness: asked.max_lateness,
    onUncertain: asked.on_uncertain,
    apiKeyId,
    traceparent,
  };
}

const as = (kind: Recipient['kind'], addresses: readonly Address[] = []): Recipient[] =>
  addresses.map((each) => ({ kind, ...each }));

function headersOf(asked: AskedEmail): HeaderField[] {
  const fields = Object.entries(asked.headers ?? {}).map(([name, value]) => ({ name, value }));
  if (!asked.list_unsubscribe) return fields;
  return [
    ...fields,
    { name: 'List-Unsubscribe', value: `<${asked.list_unsubscribe.url}>` },
    { name: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' },
  ];
}

const toAttachment = (given: z.output<typeof attachment>): Attachment => ({
  filename: given.filename,
  contentType: given.content_type,
  contentId: given.content_id,
  content: Buffer.from(given.content, 'base64'),
});

/** `*`, `*@domain` and addresses, compared as the relay does: without regard to case. */
function isAllowedSender(sender: string, allowed: readonly string[]): boolean {
  const wanted = sender.toLowerCase();
  const domain = wanted.slice(wanted.lastIndexOf('@'));
  return allowed.some((pattern) => {
    const allowedOne = pattern.toLowerCase();
    return allowedOne === '*' || allowedOne === wanted || allowedOne === `*${domain}`;
  });
}

function checkSender(from: Address | undefined, allowed: readonly string[] | undefined): Fault[] {
  if (from === undefined || allowed === undefined || isAllowedSender(from.address, allowed)) return [];
  return [
    {
      in: 'body',
      pointer: '#/from',
      detail: 'is not an allowed sender',
      received: from.address,
      accepted: allowed,
    },
  ];
}

function checkSize(asked: AskedEmail, maxMessageSize: number): Fault[] {
  // Base64 in lines of 76 characters is what attachments take in the message; bodies take at most three octets
  // for one (quoted-printable), and the header fields are small.
  const attachments = (asked.attachments ?? []).reduce(
    (sum, { content }) => sum + (content.length * 78) / 76,
    0,
  );
  const bodies = Buffer.byteLength(asked.text ?? '') + Buffer.byteLength(asked.html ?? '');
  if (attachments + bodies + 4096 <= maxMessageSize) return [];
  return [
    {
      in: 'body',
      pointer: '#/attachments',
      detail: `make a message of more than ${maxMessageSize} bytes together with the bodies`,
      received: Math.round(attachments + bodies),
      accepted: { maximum: maxMessageSize },
    },
  ];
}
