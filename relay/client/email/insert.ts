// Storing emails that somebody asks for.
import { type Queryable, uuidv7 } from '../../../deploy/database.ts';
import { takeTurn } from '../../../deploy/turn.ts';
import { tellNewDueTime } from '../outbox/outbox.ts';
import { insertAttachments } from './attachment.ts';
import type { ClaimedEmail } from './claimed.ts';
import { type EmailDraft, type EmailDraftRow, toRow } from './draft.ts';
import type { Address } from './email.ts';

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
  { now, id = draft.id ?? uuidv7(now) }: { now?: Date; id?: string } = {},
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
    drafts.map((draft) => ({ draft, id: draft.id ?? uuidv7() })),
  );
}

async function insertRows(
  tx: Queryable,
  drafts: readonly { draft: EmailDraft; id: string }[],
): Promise<InsertedEmail[]> {
  const rows = drafts.map(({ draft, id }) => toRow(draft, id));
  const dueAt = await storeRows(tx, rows);

  for (const { draft, id } of drafts) await insertAttachments(tx, id, draft.attachments ?? []);

  const later = drafts.flatMap(({ draft: { dueAt, paused } }) => (dueAt && !paused ? [dueAt.getTime()] : []));
  if (later.length > 0) await tellNewDueTime(tx, new Date(later.reduce((a, b) => Math.min(a, b))));

  return drafts.map(({ draft, id }, index) => {
    const row = rows[index] as EmailDraftRow;
    const token = Buffer.from(row.token, 'hex');
    const due = dueAt.get(id) ?? new Date();
    const claim =
      draft.dueAt || draft.paused || !draft.from ? undefined : claimOf(draft, draft.from, row, due);
    return { id, token, messageId: row.message_id, claim };
  });
}

/** @returns when each is due, by its id */
async function storeRows(tx: Queryable, rows: readonly EmailDraftRow[]): Promise<Map<string, Date>> {
  const dueAt = new Map<string, Date>();
  for await (const portion of portionsOf(rows)) {
    for (const { id, due_at } of await storePortion(tx, portion)) dueAt.set(id, due_at);
  }
  return dueAt;
}

async function storePortion(tx: Queryable, { json, text, html }: Portion) {
  const { rows } = await tx.query<{ id: string; due_at: Date }>({
    name: 'insert-emails',
    text: `
      with draft as (
        select * from json_to_recordset($1) as d (
          id uuid, kind text, held boolean, api_key_id uuid, customer_id uuid, client_id text, entry_key text,
          from_address text, from_name text, reply_to jsonb, recipients jsonb, subject text, text_body text,
          html_body text, headers jsonb, message_id text, due_at timestamptz, time_zone text, local_time text,
          max_lateness interval, on_uncertain text, priority smallint, paused boolean, token text, traceparent text,
          tags jsonb, stream text, ignore_suppression boolean
        )
      ), inserted as (
        insert into email (
          id, kind, status, reason, reason_detail, api_key_id, customer_id, client_id, entry_key,
          from_address, from_name, reply_to, recipients, subject, text_body,
          html_body, headers, message_id, due_at, time_zone, local_time,
          max_lateness, on_uncertain, priority, paused, token, traceparent, tags, stream, ignore_suppression,
          hand_over_attempts, next_hand_over_at
        )
        select
          id, kind,
          case when held then 'held' else 'pending' end::mail_status,
          case when held then 'not-configured' end,
          case when held then 'No From address is known yet: SMTP_FROM_EMAIL is missing.' end,
          api_key_id, customer_id, client_id, entry_key,
          from_address, from_name, reply_to, recipients, subject, coalesce(text_body, $3),
          coalesce(html_body, $4), headers, message_id, coalesce(due_at, now()), time_zone, local_time,
          max_lateness, on_uncertain, priority, paused, decode(token, 'hex'), traceparent, tags, stream, ignore_suppression,
          case when due_at is null and not held and not paused then 1 else 0 end,
          case when not held then coalesce(due_at, now() + make_interval(secs => $2)) end
        from draft
        returning id, kind, status, due_at, reason_detail, ignore_suppression
      ), told as (
        insert into event (type, email_id, detail)
        select 'created', id, json_strip_nulls(json_build_object(
          'kind', kind, 'dueAt', due_at, 'ignoreSuppression', nullif(ignore_suppression, false)))
        from inserted
        union all
        select 'held', id, json_build_object('cause', 'not-configured', 'detail', reason_detail)
        from inserted where status = 'held'
      )
      select id, due_at from inserted`,
    values: [json, birthLeaseSeconds, text, html],
  });
  return rows;
}

/** What one statement stores: rows as a JSON list, or one row alone, whose bodies stand beside it. */
type Portion = { readonly json: string; readonly text: string | null; readonly html: string | null };

/**
 * While PostgreSQL reads a list it takes up to twenty times its length in memory, and of a text that stands alone four
 * times: a form of 1,000 mails in one statement took 160 MB of a server that may have 512.
 */
const portionLength = 512 * 1024;

async function* portionsOf(rows: readonly EmailDraftRow[]): AsyncGenerator<Portion> {
  let list: string[] = [];
  let length = 0;
  const listed = (): Portion => {
    const json = `[${list.join(',')}]`;
    list = [];
    length = 0;
    return { json, text: null, html: null };
  };
  for (const row of rows) {
    // In steps: the rows of a batch or a form may hold 16 MB together.
    await takeTurn();
    const { text_body: text, html_body: html } = row;
    const isLarge = (text?.length ?? 0) + (html?.length ?? 0) > portionLength;
    const json = JSON.stringify(isLarge ? { ...row, text_body: null, html_body: null } : row);
    if (list.length > 0 && (isLarge || length + json.length > portionLength)) yield listed();
    if (isLarge) {
      yield { json: `[${json}]`, text, html };
      continue;
    }
    list.push(json);
    length += json.length;
  }
  if (list.length > 0) yield listed();
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
