// A mail as the API shows it.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import type { Delivery } from '../../relay/client/email/delivery.ts';
import type { Email } from '../../relay/client/email/email.ts';
import type { EmailList } from '../../relay/client/email/list.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { statuses, type TimelineEvent } from '../../relay/client/vocabulary.ts';
import { waitingForView } from '../diagnosis/waiting-for.ts';
import { id, instant } from '../fields.ts';
import { mailTags, stream } from '../tags.ts';
import { shownEmail, withoutLink, withoutLinks } from './invitation-link.ts';

export const emailKinds = ['invitation', 'single', 'scheduled', 'rejection', 'test'] as const;

export const mailboxView = z
  .strictObject({ address: z.string(), name: z.string().nullable() })
  .meta({ id: 'Mailbox' });

/** Which key sent something. `key` was taken: it is the caller's own name of an entry. */
export const apiKeyView = z.strictObject({ id, name: z.string() }).meta({ id: 'SendingKey' });

const toApiKeyView = (keyId: string | null, name: string | null) =>
  keyId !== null && name !== null ? { id: keyId, name } : null;

const traceId = z.string().nullable().meta({
  description: 'The trace (W3C Trace Context) of the request that created the email.',
});

/** Why a field may be missing. */
export const ownerOnly = 'Absent unless the email belongs to the same key, or the key has the scope admin.';

const shape = {
  id,
  kind: z.enum(emailKinds),
  status: z.enum(statuses),
  reason: z
    .string()
    .nullable()
    .meta({ description: 'A cause: why it is held, bounced, expired or late. See /docs/causes.' }),
  reason_detail: z.string().nullable().meta({ description: 'The details of the cause.' }),
  from: mailboxView.nullable().meta({ description: 'Null while no From address is configured.' }),
  to: z.array(mailboxView),
  cc: z.array(mailboxView),
  bcc: z.array(mailboxView),
  reply_to: z.array(mailboxView),
  subject: z.string(),
  message_id: z.string(),
  scheduled_datetime: instant.meta({
    description: 'When it is due; for an immediate email, when it was created.',
  }),
  time_zone: z.string().nullable(),
  local_datetime: z.string().nullable(),
  max_lateness: z.string().nullable(),
  on_uncertain: z.enum(['resend', 'hold']).nullable(),
  paused: z.boolean(),
  tags: mailTags,
  stream: stream.nullable(),
  ignore_suppression: z.boolean().meta({
    description: 'It goes also to addresses on the suppression list.',
  }),
  queue_id: z
    .string()
    .nullable()
    .meta({ description: 'The id in the relay, once the relay has accepted it.' }),
  customer_id: id.nullable(),
  client_id: z.string().nullable(),
  key: z.string().nullable().meta({ description: 'The key of the entry, for an email of an email-config.' }),
  api_key_id: id.nullable(),
  api_key: apiKeyView.nullable().meta({
    description: 'The key that asked for it; null for API_KEY and the dashboard.',
  }),
  again_of: id.nullable().meta({ description: 'The email that this one sends again.' }),
  revision: z.int(),
  created_at: instant,
  updated_at: instant,
  accepted_at: instant.nullable(),
  finished_at: instant.nullable(),
  erased_at: instant.nullable(),
  lateness_ms: z.number().nullable(),
  trace_id: traceId,
};

export const emailListItem = z.strictObject(shape).meta({ id: 'EmailListItem' });

const deliveryView = z
  .strictObject({
    address: z.string(),
    status: z.enum(statuses),
    attempts: z.int(),
    next_attempt_at: instant.nullable(),
    reason: z.string().nullable(),
    reason_detail: z.string().nullable(),
    route: z.string().nullable(),
    reply_code: z.int().nullable(),
    enhanced_code: z.string().nullable(),
    reply: z.string().nullable().meta({ description: 'The last reply of the provider, word for word.' }),
    provider_queue_id: z.string().nullable(),
    finished_at: instant.nullable(),
    bounced_at: instant.nullable().meta({
      description: 'When a delivery report said that it bounced after the provider had taken it.',
    }),
    after_sent: z.boolean().meta({
      description: 'It bounced after the provider had taken it: `reply` is what the report says.',
    }),
  })
  .meta({ id: 'Delivery' });

export const emailView = z
  .strictObject({
    ...shape,
    text: z.string().nullable().optional().meta({ description: ownerOnly }),
    html: z.string().nullable().optional().meta({ description: ownerOnly }),
    headers: z.array(
      z.strictObject({ name: z.string(), value: z.string().optional().meta({ description: ownerOnly }) }),
    ),
    recipients: z
      .array(deliveryView)
      .meta({ description: 'The status of each recipient, once the relay has the email.' }),
    waiting_for: waitingForView.nullable().meta({
      description:
        'Why the email cannot be sent now: no provider login is open. Null when nothing blocks it.',
    }),
  })
  .meta({ id: 'Email' });

export const eventView = z
  .strictObject({
    type: z.string(),
    at: instant,
    recipient: z.string().nullable(),
    queue_id: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
    trace_id: traceId,
  })
  .meta({ id: 'Event' });

export function toListItem(given: Email): z.output<typeof emailListItem> {
  const email = shownEmail(given);
  const recipients = (kind: string) =>
    email.recipients.filter((each) => each.kind === kind).map(toMailboxView);
  return {
    id: email.id,
    kind: email.kind,
    status: email.status,
    reason: email.reason,
    reason_detail: email.reasonDetail && withoutLink(email.reasonDetail),
    from: email.from && toMailboxView(email.from),
    to: recipients('to'),
    cc: recipients('cc'),
    bcc: recipients('bcc'),
    reply_to: email.replyTo.map(toMailboxView),
    subject: email.subject,
    message_id: email.messageId,
    scheduled_datetime: email.dueAt.toISOString(),
    time_zone: email.timeZone,
    local_datetime: email.localTime,
    max_lateness: email.maxLateness,
    on_uncertain: email.onUncertain,
    paused: email.paused,
    tags: [...email.tags],
    stream: email.stream,
    ignore_suppression: email.ignoreSuppression,
    queue_id: email.queueId,
    customer_id: email.customerId,
    client_id: email.clientId,
    key: email.entryKey,
    api_key_id: email.apiKeyId,
    api_key: toApiKeyView(email.apiKeyId, email.apiKeyName),
    again_of: email.againOf,
    revision: email.revision,
    created_at: email.createdAt.toISOString(),
    updated_at: email.updatedAt.toISOString(),
    accepted_at: email.acceptedAt?.toISOString() ?? null,
    finished_at: email.finishedAt?.toISOString() ?? null,
    erased_at: email.erasedAt?.toISOString() ?? null,
    lateness_ms: email.latenessMs,
    trace_id: email.traceId,
  };
}

/** An email that is known to be there, such as one that was just stored. */
export async function readListItem(q: Queryable, emailId: string): Promise<z.output<typeof emailListItem>> {
  const email = await readEmail(q, emailId);
  if (!email) throw new Error('A stored email cannot be read');
  return toListItem(email);
}

/** A page of a list as relay/client found it. */
export function toEmailPage({ emails, hasMore }: EmailList) {
  return {
    data: emails.map(toListItem),
    has_more: hasMore,
    next: hasMore ? (emails.at(-1)?.id ?? null) : null,
  };
}

/** @param showsContent whether the caller may read what the mail says: bodies and the values of header fields */
export function toEmailView(
  given: Email,
  deliveries: readonly Delivery[],
  { showsContent, waitingFor }: { showsContent: boolean; waitingFor: z.output<typeof waitingForView> | null },
): z.output<typeof emailView> {
  const email = shownEmail(given);
  return {
    ...toListItem(email),
    ...(showsContent && { text: email.text, html: email.html }),
    headers: email.headers.map(({ name, value }) => ({ name, ...(showsContent && { value }) })),
    recipients: deliveries.map((delivery) => ({
      address: delivery.address,
      status: delivery.status,
      attempts: delivery.attempts,
      next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
      reason: delivery.reason,
      reason_detail: delivery.reasonDetail && withoutLink(delivery.reasonDetail),
      route: delivery.route,
      reply_code: delivery.replyCode,
      enhanced_code: delivery.enhancedCode,
      reply: delivery.reply && withoutLink(delivery.reply),
      provider_queue_id: delivery.providerQueueId,
      finished_at: delivery.finishedAt?.toISOString() ?? null,
      bounced_at: delivery.bouncedAt?.toISOString() ?? null,
      after_sent: delivery.bouncedAt !== null,
    })),
    waiting_for: waitingFor,
  };
}

export function toEventView(event: TimelineEvent): z.output<typeof eventView> {
  return {
    type: event.type,
    at: event.at.toISOString(),
    recipient: event.recipient,
    queue_id: event.queueId,
    detail: withoutLinks(event.detail),
    trace_id: event.traceId,
  };
}

export const toMailboxView = ({ address, name }: { address: string; name?: string | undefined }) => ({
  address,
  name: name ?? null,
});
