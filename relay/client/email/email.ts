// The email: what a caller asked for, from its draft to what became of it. The row is also the outbox: a mail
// waits here until the relay has taken responsibility for it, so nothing but this row must be written by a request.
import { randomBytes } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { type Queryable, uuidv7 } from '../../../deploy/database.ts';
import { traceIdOf } from '../../../deploy/trace.ts';
import { type EmailKind, priorities, type Status, type UncertainPolicy } from '../vocabulary.ts';

export type Address = { readonly address: string; readonly name?: string | undefined };

export type Recipient = Address & { readonly kind: 'to' | 'cc' | 'bcc' };

export type HeaderField = { readonly name: string; readonly value: string };

export type Attachment = {
  readonly filename: string;
  readonly contentType: string;
  /** For images that the HTML shows by `cid:`. */
  readonly contentId?: string | undefined;
  readonly content: Buffer;
};

/** An attachment of a stored email; its bytes come in pieces, so that nobody holds all of them. */
export type AttachedFile = Omit<Attachment, 'content'> & {
  readonly size: number;
  readonly pieces: () => AsyncGenerator<Buffer>;
};

/** Whole lines of base64, and what PostgreSQL cuts out of a large value at little cost. */
export const pieceBytes = 57 * 4096;

/** What is needed to ask for a mail. Everything in it has been validated: nothing here repairs anything. */
export type EmailDraft = {
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
  /** The trace of the request that asks for it; hand-over and attempts go on with it (deploy/trace.ts). */
  readonly traceparent?: string | undefined;
};

/** The part of an email that becomes a message. */
export type EmailContent = {
  readonly from: Address;
  readonly replyTo: readonly Address[];
  readonly recipients: readonly Recipient[];
  readonly subject: string;
  readonly text: string | null;
  readonly html: string | null;
  readonly headers: readonly HeaderField[];
  readonly messageId: string;
  readonly dueAt: Date;
};

/** An email under our lease: until it ends nobody else tries to hand it over. */
export type ClaimedEmail = EmailContent & {
  readonly id: string;
  readonly token: Buffer;
  /** Hand-overs begun, this one included. */
  readonly attempts: number;
  /** How long it had been due when it was claimed, by the database's clock. */
  readonly overdueMs: number;
  readonly hasAttachments: boolean;
  /** Octets of text and HTML. Where they are many, a claim leaves the texts out. */
  readonly textBytes: number;
  readonly attachedBytes: number;
  readonly traceparent: string | null;
};

export type InsertedEmail = {
  readonly id: string;
  readonly token: Buffer;
  readonly messageId: string;
  /**
   * An immediate mail is born leased to whoever inserts it, so that the hand-over right after the commit needs
   * no further statement. When the inserter dies first, the worker finds the mail once the lease is over.
   */
  readonly claim: ClaimedEmail | undefined;
};

const scheduledMaxLateness = 'PT24H';
// Longer than the two seconds a request waits for the relay, short enough that nobody notices the worker's turn.
const birthLeaseSeconds = 5;

/**
 * Stores one email with its `created` event, inside the caller's transaction.
 *
 * @param now only decides the time inside the id; due times are compared by the database's clock.
 */
export async function insertEmail(
  tx: Queryable,
  draft: EmailDraft,
  { now, id = uuidv7(now) }: { now?: Date; id?: string } = {},
): Promise<InsertedEmail> {
  const [inserted] = await insertRows(tx, [{ draft, id }]);
  if (!inserted) throw new Error('The insert of an email returned no row');
  return inserted;
}

/** Stores many emails, each as `insertEmail` would; the answers are in the order of the drafts. */
export async function insertEmails(tx: Queryable, drafts: readonly EmailDraft[]): Promise<InsertedEmail[]> {
  if (drafts.length === 0) return [];
  return insertRows(
    tx,
    drafts.map((draft) => ({ draft, id: uuidv7() })),
  );
}

async function insertRows(
  tx: Queryable,
  drafts: readonly { draft: EmailDraft; id: string }[],
): Promise<InsertedEmail[]> {
  const rows = drafts.map(({ draft, id }) => toRow(draft, id));
  const { rows: stored } = await tx.query<{ id: string; due_at: Date }>({
    name: 'insert-emails',
    text: `
      with draft as (
        select * from json_to_recordset($1) as d (
          id uuid, kind text, held boolean, api_key_id uuid, customer_id uuid, client_id text, entry_key text,
          from_address text, from_name text, reply_to jsonb, recipients jsonb, subject text, text_body text,
          html_body text, headers jsonb, message_id text, due_at timestamptz, time_zone text, local_time text,
          max_lateness interval, on_uncertain text, priority smallint, paused boolean, token text, traceparent text
        )
      ), inserted as (
        insert into email (
          id, kind, status, reason, reason_detail, api_key_id, customer_id, client_id, entry_key,
          from_address, from_name, reply_to, recipients, subject, text_body,
          html_body, headers, message_id, due_at, time_zone, local_time,
          max_lateness, on_uncertain, priority, paused, token, traceparent, hand_over_attempts, next_hand_over_at
        )
        select
          id, kind,
          case when held then 'held' else 'pending' end::mail_status,
          case when held then 'not-configured' end,
          case when held then 'No From address is known yet: SMTP_FROM_EMAIL is missing.' end,
          api_key_id, customer_id, client_id, entry_key,
          from_address, from_name, reply_to, recipients, subject, text_body,
          html_body, headers, message_id, coalesce(due_at, now()), time_zone, local_time,
          max_lateness, on_uncertain, priority, paused, decode(token, 'hex'), traceparent,
          case when due_at is null and not held and not paused then 1 else 0 end,
          case when not held then coalesce(due_at, now() + make_interval(secs => $2)) end
        from draft
        returning id, kind, status, due_at, reason_detail
      ), told as (
        insert into event (type, email_id, detail)
        select 'created', id, json_build_object('kind', kind, 'dueAt', due_at) from inserted
        union all
        select 'held', id, json_build_object('cause', 'not-configured', 'detail', reason_detail)
        from inserted where status = 'held'
      )
      select id, due_at from inserted`,
    values: [JSON.stringify(rows), birthLeaseSeconds],
  });
  const dueAt = new Map(stored.map((row) => [row.id, row.due_at]));

  for (const { draft, id } of drafts) await insertAttachments(tx, id, draft.attachments ?? []);

  return drafts.map(({ draft, id }, index) => {
    const row = rows[index] as EmailDraftRow;
    const token = Buffer.from(row.token, 'hex');
    const due = dueAt.get(id) ?? new Date();
    const claim =
      draft.dueAt || draft.paused || !draft.from ? undefined : claimOf(draft, draft.from, row, due);
    return { id, token, messageId: row.message_id, claim };
  });
}

type EmailDraftRow = ReturnType<typeof toRow>;

function toRow(draft: EmailDraft, id: string) {
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
  };
}

function claimOf(draft: EmailDraft, from: Address, row: EmailDraftRow, dueAt: Date): ClaimedEmail {
  return {
    id: row.id,
    token: Buffer.from(row.token, 'hex'),
    attempts: 1,
    overdueMs: 0,
    hasAttachments: (draft.attachments ?? []).length > 0,
    textBytes: Buffer.byteLength(draft.text ?? '') + Buffer.byteLength(draft.html ?? ''),
    attachedBytes: (draft.attachments ?? []).reduce((sum, { content }) => sum + content.length, 0),
    traceparent: row.traceparent,
    from,
    replyTo: draft.replyTo ?? [],
    recipients: draft.recipients,
    subject: draft.subject,
    text: draft.text ?? null,
    html: draft.html ?? null,
    headers: draft.headers ?? [],
    messageId: row.message_id,
    dueAt,
  };
}

const toAddressRow = ({ address, name }: Address) => ({ address, name: name ?? null });

/** RFC 5322 §3.6.4: globally unique, so our id at the sender's domain. */
export function newMessageId(emailId: string, from: string | undefined): string {
  const domain = domainToASCII(from?.slice(from.lastIndexOf('@') + 1) ?? '');
  return `<${emailId}@${domain || 'postern.invalid'}>`;
}

async function insertAttachments(tx: Queryable, emailId: string, attachments: readonly Attachment[]) {
  // One statement each: an array of them would travel as text, at twice the size.
  for (const [ordinal, { filename, contentType, contentId, content }] of attachments.entries()) {
    await tx.query(
      `insert into email_attachment (email_id, ordinal, filename, content_type, content_id, content)
       values ($1, $2, $3, $4, $5, $6)`,
      [emailId, ordinal, filename, contentType, contentId ?? null, content],
    );
  }
}

/** The attachments of one email, in their order. */
export async function readAttachments(q: Queryable, emailId: string): Promise<Attachment[]> {
  const { rows } = await q.query<{
    filename: string;
    content_type: string;
    content_id: string | null;
    content: Buffer;
  }>(
    `select filename, content_type, content_id, content
     from email_attachment where email_id = $1 order by ordinal`,
    [emailId],
  );
  return rows.map((row) => ({
    filename: row.filename,
    contentType: row.content_type,
    contentId: row.content_id ?? undefined,
    content: row.content,
  }));
}

/** The attachments of one email, in their order, without their bytes. */
export async function openAttachments(q: Queryable, emailId: string): Promise<AttachedFile[]> {
  const { rows } = await q.query<{
    ordinal: number;
    filename: string;
    content_type: string;
    content_id: string | null;
    size: number;
  }>(
    `select ordinal, filename, content_type, content_id, octet_length(content) as size
     from email_attachment where email_id = $1 order by ordinal`,
    [emailId],
  );
  return rows.map(({ ordinal, size, ...row }) => ({
    filename: row.filename,
    contentType: row.content_type,
    contentId: row.content_id ?? undefined,
    size,
    pieces: () => readPieces(q, emailId, ordinal, size),
  }));
}

/** The column is stored uncompressed (`storage external`): PostgreSQL reads the wanted piece and nothing else. */
async function* readPieces(
  q: Queryable,
  emailId: string,
  ordinal: number,
  size: number,
): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; at += pieceBytes) {
    const { rows } = await q.query<{ piece: Buffer }>({
      name: 'attachment-piece',
      text: `select substring(content from $3 for $4) as piece
             from email_attachment where email_id = $1 and ordinal = $2`,
      values: [emailId, ordinal, at + 1, pieceBytes],
    });
    if (!rows[0]) throw new Error('An attachment was removed while it was read');
    yield rows[0].piece;
  }
}

/** An email as it stands now. Bodies are null once they were erased (`erasedAt`). */
export type Email = Omit<EmailContent, 'from'> & {
  readonly id: string;
  readonly kind: EmailKind;
  readonly status: Status;
  /** A cause slug, and the same in words. */
  readonly reason: string | null;
  readonly reasonDetail: string | null;
  readonly apiKeyId: string | null;
  readonly customerId: string | null;
  readonly clientId: string | null;
  readonly entryKey: string | null;
  /** Null while no From address is configured. */
  readonly from: Address | null;
  readonly timeZone: string | null;
  readonly localTime: string | null;
  readonly maxLateness: string | null;
  readonly onUncertain: UncertainPolicy | null;
  readonly priority: number;
  readonly paused: boolean;
  readonly queueId: string | null;
  readonly handOverAttempts: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly acceptedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly erasedAt: Date | null;
  /** Of the request that asked for it; null for mail from before traces were kept. */
  readonly traceId: string | null;
  /** How long after its due time it was sent, or else taken by the relay; null before that. */
  readonly latenessMs: number | null;
};

export type EmailRow = {
  id: string;
  kind: EmailKind;
  status: Status;
  reason: string | null;
  reason_detail: string | null;
  api_key_id: string | null;
  customer_id: string | null;
  client_id: string | null;
  entry_key: string | null;
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
  e.id, e.kind, e.status, e.reason, e.reason_detail, e.api_key_id, e.customer_id, e.client_id, e.entry_key,
  e.from_address, e.from_name, e.reply_to, e.recipients, e.subject, e.headers, e.message_id, e.due_at, e.time_zone,
  e.local_time, e.max_lateness, e.on_uncertain, e.priority, e.paused, e.queue_id, e.hand_over_attempts, e.revision,
  e.created_at, e.updated_at, e.accepted_at, e.finished_at, e.erased_at, e.traceparent,
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
    customerId: row.customer_id,
    clientId: row.client_id,
    entryKey: row.entry_key,
    from: row.from_address === '' ? null : toAddress({ address: row.from_address, name: row.from_name }),
    timeZone: row.time_zone,
    localTime: row.local_time,
    maxLateness: row.max_lateness && toIsoDuration(row.max_lateness),
    onUncertain: row.on_uncertain,
    priority: row.priority,
    paused: row.paused,
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

/** How pg reads an interval: only the parts that are not zero. */
type IntervalParts = {
  years?: number;
  months?: number;
  days?: number;
  hours?: number;
  minutes?: number;
  seconds?: number;
  milliseconds?: number;
};

function toIsoDuration(parts: IntervalParts): string {
  const { years, months, days, hours, minutes, seconds = 0, milliseconds = 0 } = parts;
  const letters = (pairs: [number | undefined, string][]) =>
    pairs.map(([amount, letter]) => (amount ? `${amount}${letter}` : '')).join('');
  const date = letters([
    [years, 'Y'],
    [months, 'M'],
    [days, 'D'],
  ]);
  const time = letters([
    [hours, 'H'],
    [minutes, 'M'],
    [seconds + milliseconds / 1000, 'S'],
  ]);
  return date || time ? `P${date}${time && `T${time}`}` : 'PT0S';
}

/** What became of one recipient; the relay keeps these, because a provider answers for each of them. */
export type Delivery = {
  readonly address: string;
  readonly status: Status;
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly reason: string | null;
  readonly reasonDetail: string | null;
  readonly route: string | null;
  readonly replyCode: number | null;
  readonly enhancedCode: string | null;
  /** The provider's last words, as it said them. */
  readonly reply: string | null;
  readonly providerQueueId: string | null;
  readonly finishedAt: Date | null;
};

/** The recipients of an email that the relay has taken, in their order; none before that. */
export async function readDeliveries(q: Queryable, emailId: string): Promise<Delivery[]> {
  const { rows } = await q.query<Delivery>(
    `select r.address, r.status, r.attempts, r.next_attempt_at as "nextAttemptAt", r.reason,
            r.reason_detail as "reasonDetail", r.route, r.reply_code as "replyCode",
            r.enhanced_code as "enhancedCode", r.reply, r.provider_queue_id as "providerQueueId",
            r.finished_at as "finishedAt"
     from email e join recipient r on r.queue_id = e.queue_id
     where e.id = $1 order by r.ordinal`,
    [emailId],
  );
  return rows;
}
