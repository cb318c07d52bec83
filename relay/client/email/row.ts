// The row of an email, read: its columns, and the email they say.
import type { Queryable } from '../../../deploy/database.ts';
import { traceIdOf } from '../../../deploy/trace.ts';
import type { EmailKind, Status, UncertainPolicy } from '../vocabulary.ts';
import { type IntervalParts, toIsoDuration } from './duration.ts';
import type { Address, Email, EmailContent, HeaderField, Recipient } from './email.ts';
import type { Tag } from './tag.ts';

export type EmailRow = {
  id: string;
  kind: EmailKind;
  status: Status;
  reason: string | null;
  reason_detail: string | null;
  api_key_id: string | null;
  api_key_name: string | null;
  customer_id: string | null;
  client_id: string | null;
  entry_key: string | null;
  again_of: string | null;
  from_address: string;
  from_name: string | null;
  reply_to: AddressRow[];
  recipients: RecipientRow[];
  subject: string;
  text_body: string | null;
  html_body: string | null;
  headers: HeaderField[];
  message_id: string;
  due_at: Date;
  time_zone: string | null;
  local_time: string | null;
  max_lateness: IntervalParts | null;
  on_uncertain: UncertainPolicy | null;
  priority: number;
  paused: boolean;
  tags: Tag[];
  stream: string | null;
  ignore_suppression: boolean;
  queue_id: string | null;
  hand_over_attempts: number;
  revision: number;
  created_at: Date;
  updated_at: Date;
  accepted_at: Date | null;
  finished_at: Date | null;
  erased_at: Date | null;
  traceparent: string | null;
  lateness_ms: number | null;
};

type AddressRow = { address: string; name?: string | null | undefined };
type RecipientRow = AddressRow & { kind: Recipient['kind'] };

/** The columns of `EmailRow`, for a query over `email e`; without the bodies, which lists do not show. */
export const summaryColumns = `
  e.id, e.kind, e.status, e.reason, e.reason_detail, e.api_key_id,
  (select k.name from api_key k where k.id = e.api_key_id) as api_key_name, e.customer_id, e.client_id, e.entry_key,
  e.again_of,
  e.from_address, e.from_name, e.reply_to, e.recipients, e.subject, e.headers, e.message_id, e.due_at, e.time_zone,
  e.local_time, e.max_lateness, e.on_uncertain, e.priority, e.paused, e.queue_id, e.hand_over_attempts, e.revision,
  e.tags, e.stream, e.ignore_suppression, e.created_at, e.updated_at, e.accepted_at, e.finished_at, e.erased_at, e.traceparent,
  round(extract(epoch from
    coalesce(case when e.status = 'sent' then e.finished_at end, e.accepted_at) - e.due_at
  ) * 1000)::float8 as lateness_ms`;

export const emailColumns = `${summaryColumns}, e.text_body, e.html_body`;

/** One email, or undefined when there is none with this id. */
export async function readEmail(q: Queryable, id: string): Promise<Email | undefined> {
  const { rows } = await q.query<EmailRow>(`select ${emailColumns} from email e where e.id = $1`, [id]);
  return rows[0] && toEmail(rows[0]);
}

export function toEmail(row: EmailRow): Email {
  return {
    ...toContent(row),
    id: row.id,
    kind: row.kind,
    status: row.status,
    reason: row.reason,
    reasonDetail: row.reason_detail,
    apiKeyId: row.api_key_id,
    apiKeyName: row.api_key_name,
    customerId: row.customer_id,
    clientId: row.client_id,
    entryKey: row.entry_key,
    againOf: row.again_of,
    from: row.from_address === '' ? null : toAddress({ address: row.from_address, name: row.from_name }),
    timeZone: row.time_zone,
    localTime: row.local_time,
    maxLateness: row.max_lateness && toIsoDuration(row.max_lateness),
    onUncertain: row.on_uncertain,
    priority: row.priority,
    paused: row.paused,
    tags: row.tags,
    stream: row.stream,
    ignoreSuppression: row.ignore_suppression,
    queueId: row.queue_id,
    handOverAttempts: row.hand_over_attempts,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    acceptedAt: row.accepted_at,
    finishedAt: row.finished_at,
    erasedAt: row.erased_at,
    traceId: traceIdOf(row.traceparent) ?? null,
    latenessMs: row.lateness_ms,
  };
}

type ContentRow = Pick<
  EmailRow,
  | 'from_address'
  | 'from_name'
  | 'reply_to'
  | 'recipients'
  | 'subject'
  | 'text_body'
  | 'html_body'
  | 'headers'
  | 'message_id'
  | 'due_at'
>;

export function toContent(row: ContentRow): EmailContent {
  return {
    from: toAddress({ address: row.from_address, name: row.from_name }),
    replyTo: row.reply_to.map(toAddress),
    recipients: row.recipients.map((recipient) => ({ kind: recipient.kind, ...toAddress(recipient) })),
    subject: row.subject,
    text: row.text_body,
    html: row.html_body,
    headers: row.headers,
    messageId: row.message_id,
    dueAt: row.due_at,
  };
}

const toAddress = ({ address, name }: AddressRow): Address => ({
  address,
  ...(name ? { name } : {}),
});
