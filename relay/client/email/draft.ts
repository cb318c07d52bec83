// What is needed to ask for an email, and the row it becomes.
import { randomBytes } from 'node:crypto';
import { type EmailKind, priorities, type UncertainPolicy } from '../vocabulary.ts';
import type { Attachment } from './attachment.ts';
import type { Address, HeaderField, Recipient } from './email.ts';
import { newMessageId } from './message-id.ts';
import type { Tag } from './tag.ts';

/** What is needed to ask for a mail. Everything in it has been validated: nothing here repairs anything. */
export type EmailDraft = {
  /** Where something outside has to know it beforehand; otherwise a new one is made. */
  readonly id?: string | undefined;
  readonly kind: EmailKind;
  /**
   * Undefined while nobody has configured a From address: the mail is kept as `held` with the reason
   * `not-configured` and goes out when one is known (`releaseWithoutSender`).
   */
  readonly from?: Address | undefined;
  readonly replyTo?: readonly Address[] | undefined;
  readonly recipients: readonly Recipient[];
  readonly subject: string;
  readonly text?: string | undefined;
  readonly html?: string | undefined;
  readonly headers?: readonly HeaderField[] | undefined;
  readonly attachments?: readonly Attachment[] | undefined;
  /** Undefined means at once. */
  readonly dueAt?: Date | undefined;
  /** How the caller said `dueAt`, when it was a local time in an IANA zone. */
  readonly timeZone?: string | undefined;
  readonly localTime?: string | undefined;
  /** ISO 8601 duration; by default PT24H for scheduled mail and no limit for immediate mail. */
  readonly maxLateness?: string | undefined;
  readonly onUncertain?: UncertainPolicy | undefined;
  readonly priority?: number | undefined;
  readonly customerId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly entryKey?: string | undefined;
  readonly apiKeyId?: string | undefined;
  readonly paused?: boolean | undefined;
  readonly tags?: readonly Tag[] | undefined;
  readonly stream?: string | null | undefined;
  /** Send it also to those who are on the suppression list. */
  readonly ignoreSuppression?: boolean | undefined;
  /** The trace of the request that asks for it; hand-over and attempts go on with it (deploy/trace.ts). */
  readonly traceparent?: string | undefined;
};

const scheduledMaxLateness = 'PT24H';

export type EmailDraftRow = ReturnType<typeof toRow>;

/** The row of a draft; its token is new. */
export function toRow(draft: EmailDraft, id: string) {
  return {
    id,
    kind: draft.kind,
    held: draft.from === undefined,
    api_key_id: draft.apiKeyId ?? null,
    customer_id: draft.customerId ?? null,
    client_id: draft.clientId ?? null,
    entry_key: draft.entryKey ?? null,
    from_address: draft.from?.address ?? '',
    from_name: draft.from?.name ?? null,
    reply_to: (draft.replyTo ?? []).map(toAddressRow),
    recipients: draft.recipients.map((recipient) => ({ kind: recipient.kind, ...toAddressRow(recipient) })),
    subject: draft.subject,
    text_body: draft.text ?? null,
    html_body: draft.html ?? null,
    headers: draft.headers ?? [],
    message_id: newMessageId(id, draft.from?.address),
    due_at: draft.dueAt?.toISOString() ?? null,
    time_zone: draft.timeZone ?? null,
    local_time: draft.localTime ?? null,
    max_lateness: draft.maxLateness ?? (draft.dueAt ? scheduledMaxLateness : null),
    on_uncertain: draft.onUncertain ?? null,
    priority: draft.priority ?? (draft.dueAt ? priorities.scheduled : priorities.immediate),
    paused: draft.paused ?? false,
    // 256 bits: whoever knows it may hand this one email to the relay.
    token: randomBytes(32).toString('hex'),
    traceparent: draft.traceparent ?? null,
    tags: draft.tags ?? [],
    stream: draft.stream ?? null,
    ignore_suppression: draft.ignoreSuppression ?? false,
  };
}

const toAddressRow = ({ address, name }: Address) => ({ address, name: name ?? null });
