// A client's scheduled emails as one form, in the words of the API.
import { z } from 'zod';
import type { Address, Email } from '../../relay/client/email/email.ts';
import { faultOfTimeZone } from '../../relay/client/email/scheduled-time.ts';
import type { ConfigEntry, EmailConfig } from '../../relay/client/email-config/email-config.ts';
import type { Principal } from '../authenticate.ts';
import { readDue } from '../emails/due.ts';
import { emailListItem, mailboxView, ownerOnly, toListItem, toMailboxView } from '../emails/email.ts';
import { mailboxes } from '../emails/mailbox.ts';
import { listedFor, owns } from '../emails/owner.ts';
import { invalidFields } from '../faults.ts';
import { line, prose } from '../fields.ts';
import { type Fault, Problem } from '../problem.ts';
import { mailTags, stream } from '../tags.ts';

export const clientPath = z.strictObject({ client_id: line(200) });

const always = ({ value }: { value: unknown }) => typeof value === 'object' && value !== null;

const entry = z
  .strictObject({
    key: line(200).meta({
      description: 'Your name for the entry. It identifies the entry when the form is saved again.',
    }),
    subject: line(900),
    text: prose(2_000_000).min(1, 'must not be empty').optional(),
    html: prose(5_000_000).min(1, 'must not be empty').optional(),
    scheduled_datetime: z.string().max(40).meta({
      description:
        'RFC 3339 with an offset, or a local time in the `time_zone` of the form. If both are given, they must agree.',
    }),
  })
  .refine((given) => given.text !== undefined || given.html !== undefined, {
    path: ['text'],
    error: 'is required unless html is given',
    when: always,
  });

export const configDraft = z
  .strictObject({
    enabled: z.boolean().meta({ description: '`false` pauses the pending emails, `true` resumes them.' }),
    recipients: mailboxes(50),
    from_name: line(200).optional(),
    reply_to: mailboxes(10).optional(),
    time_zone: z
      .string()
      .max(64)
      .superRefine((name, context) => {
        const fault = faultOfTimeZone(name);
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      })
      .optional(),
    tags: mailTags.optional().meta({ description: 'Tags of all emails of the form.' }),
    stream: stream.optional().meta({ description: 'The stream of all emails of the form.' }),
    emails: z.array(entry).max(1_000, 'must have at most 1000 entries'),
  })
  .meta({ id: 'EmailConfigDraft' });

export type RequestedConfig = z.output<typeof configDraft>;

const configShape = z
  .strictObject({
    enabled: z.boolean(),
    recipients: z.array(mailboxView),
    from_name: z.string().nullable(),
    reply_to: z.array(mailboxView),
    time_zone: z.string().nullable(),
    tags: mailTags,
    stream: stream.nullable(),
  })
  .meta({ id: 'EmailConfig' });

const entryView = z
  .strictObject({
    ...emailListItem.shape,
    text: z.string().nullable().optional().meta({ description: ownerOnly }),
    html: z.string().nullable().optional().meta({ description: ownerOnly }),
    locked: z.boolean().meta({ description: 'It was sent or is being sent, so it does not change.' }),
  })
  .meta({ id: 'ScheduledEntry' });

export const configAnswer = z.strictObject({ config: configShape, emails: z.array(entryView) });

export const savedAnswer = z.strictObject({
  config: configShape,
  scheduled: z.strictObject({ kept: z.int(), updated: z.int(), created: z.int(), cancelled: z.int() }),
  warnings: z
    .array(z.strictObject({ key: z.string(), reason: z.literal('locked'), status: z.string() }))
    .meta({
      description: 'Entries that could not be changed or removed, because they were sent or are being sent.',
    }),
  changes: z
    .array(
      z.strictObject({
        key: z.string(),
        change: z.enum(['kept', 'updated', 'created', 'cancelled', 'locked']),
      }),
    )
    .meta({ description: 'What saving did to each entry; with `preview=true`, what it would do.' }),
  emails: z.array(entryView),
});

export const saveQuery = z.strictObject({
  preview: z.enum(['true', 'false']).optional().meta({
    description: '`true` answers what saving would do, and saves nothing; new entries get other ids later.',
  }),
});

/** The form for relay/client. Throws `invalid-fields` with every entry at fault. */
export function readConfig(requested: RequestedConfig): { config: EmailConfig; entries: ConfigEntry[] } {
  const faults: Fault[] = [];
  const seen = new Set<string>();
  const entries = requested.emails.flatMap(({ scheduled_datetime, ...given }, index): ConfigEntry[] => {
    const pointer = `#/emails/${index}`;
    if (seen.has(given.key)) {
      faults.push({ in: 'body', pointer: `${pointer}/key`, detail: 'is a duplicate', received: given.key });
    }
    seen.add(given.key);
    const reading = readDue({ scheduled_datetime, time_zone: requested.time_zone }, pointer);
    if ('faults' in reading) faults.push(...reading.faults);
    if ('faults' in reading || !reading.due.dueAt) return [];
    return [{ ...given, ...reading.due, dueAt: reading.due.dueAt }];
  });
  if (requested.recipients.length === 0 && requested.emails.length > 0) {
    faults.push({ in: 'body', pointer: '#/recipients', detail: 'needs at least one address for the emails' });
  }
  if (faults.length > 0) throw invalidFields(faults);
  const { enabled, recipients, from_name: fromName, reply_to: replyTo, time_zone: timeZone } = requested;
  const { tags, stream: streamName } = requested;
  return { config: { enabled, recipients, fromName, replyTo, timeZone, tags, stream: streamName }, entries };
}

export function toConfigView(config: EmailConfig): z.output<typeof configShape> {
  const view = (addresses: readonly Address[] = []) => addresses.map(toMailboxView);
  return {
    enabled: config.enabled,
    recipients: view(config.recipients),
    from_name: config.fromName ?? null,
    reply_to: view(config.replyTo),
    time_zone: config.timeZone ?? null,
    tags: [...(config.tags ?? [])],
    stream: config.stream ?? null,
  };
}

export function toEntryView(
  email: Email,
  { showsContent }: { showsContent: boolean },
): z.output<typeof entryView> {
  return {
    ...toListItem(email),
    ...(showsContent && { text: email.text, html: email.html }),
    locked: email.queueId !== null || email.finishedAt !== null,
  };
}

/** The form may be seen by its own key, and by whoever sees all mail. */
export const maySee = (principal: Principal, apiKeyId: string | null) =>
  listedFor(principal) === undefined || owns(principal, { apiKeyId });

export const noSuchConfig = (clientId: string) =>
  new Problem('not-found', `The client ${clientId} has no email-config of this key.`);
