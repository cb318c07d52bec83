// Writes the notices that are owed to submitters (notice_owed) into the queue that all mail takes. A notice is queued in
// the transaction that deletes what was owed: an error or a crash leaves it owed, and nothing is written twice.
import { hostname } from 'node:os';
import type { Database, Queryable } from '../../../deploy/database.ts';
import { newQueueId } from '../../client/queue-id.ts';
import { type Action, composeNotice, headerOf, mayNotify, type ReportedRecipient } from './compose.ts';

export type NoticeSender = {
  readonly from: { readonly email: string; readonly name?: string | undefined };
  /** The provider's host. */
  readonly remoteMta: string | null;
};

/** Mails looked at in one sweep; the next one goes on. */
const mostMails = 50;
/** And notices: one mail may have as many as it has recipients. */
const mostRows = 1_000;
/** Larger mail is returned as its header only, whatever RET says. */
const mostReturnedBytes = 1_048_576;
const partBytes = 262_144;

/**
 * Writes what is due. Returns how many notices were queued.
 *
 * @param onError hears of a mail whose notices could not be written; the others go on, and it is tried again in a minute
 */
export async function writeNotices(
  database: Database,
  sender: NoticeSender,
  onError: (error: unknown, queueId: string) => void,
): Promise<number> {
  const { rows } = await database.query<{ queueId: string }>({
    name: 'owed-notices',
    text: `select queue_id as "queueId" from (
             select queue_id, due_at from notice_owed where due_at <= now() order by due_at limit ${mostRows}
           ) due group by queue_id order by min(due_at) limit ${mostMails}`,
  });
  let written = 0;
  for (const { queueId } of rows) {
    try {
      written += await database.transaction((tx) => settle(tx, queueId, sender));
    } catch (error) {
      onError(error, queueId);
      // So that a mail which cannot be reported does not stand in the way of the others.
      await database.query(
        `update notice_owed set due_at = now() + interval '1 minute', first_due_at = coalesce(first_due_at, due_at)
         where queue_id = $1 and due_at <= now()`,
        [queueId],
      );
    }
  }
  return written;
}

type Owed = ReportedRecipient & { readonly ordinal: number; readonly action: Action };

type Original = {
  readonly sender: string;
  readonly messageId: string;
  readonly receivedAt: Date;
  readonly size: number;
  readonly ret: string | null;
  readonly envid: string | null;
  /** Null once it was erased. */
  readonly begin: Buffer | null;
};

async function settle(tx: Queryable, queueId: string, sender: NoticeSender): Promise<number> {
  const { rows: owed } = await tx.query<Owed>({
    name: 'settle-owed-notices',
    text: `
      select o.ordinal, o.action, r.address, r.status::text, r.enhanced_code as "enhancedCode", r.reply, r.reason, r.orcpt
      from notice_owed o join recipient r using (queue_id, ordinal)
      where o.queue_id = $1 and o.due_at <= now()
      order by o.action, o.ordinal for update of o skip locked`,
    values: [queueId],
  });
  if (owed.length === 0) return 0;
  const waiting = owed.filter(({ action, status }) => action === 'delayed' && isAside(status));
  await forget(tx, queueId, owed, waiting);
  const original = await findOriginal(tx, queueId);
  const header = original?.begin ? headerOf(original.begin) : undefined;
  if (!original || header === undefined || !mayNotify(original.sender, header)) return 0;

  let written = 0;
  for (const action of ['failed', 'delayed', 'relayed'] as const) {
    const recipients = owed.filter((each) => each.action === action && isStillTrue(each));
    if (recipients.length === 0) continue;
    // RFC 3461 section 4.3: RET is about failures; the other notices bring the header.
    const isWhole = action === 'failed' && original.ret === 'FULL' && original.size <= mostReturnedBytes;
    await queueNotice(tx, {
      ...sender,
      action,
      queueId,
      original,
      recipients,
      returned: isWhole ? { content: await readAll(tx, queueId) } : { header },
    });
    written++;
  }
  return written;
}

/** Neither under way nor finished: nobody knows yet whether there is a delay to speak of. */
const isAside = (status: string) => status === 'held' || status === 'uncertain';

/** A person may have sent it again meanwhile. */
function isStillTrue({ action, status }: Owed): boolean {
  if (action === 'failed') return ['bounced', 'expired', 'suppressed'].includes(status);
  if (action === 'relayed') return status === 'sent';
  return ['queued', 'deferred', 'sending'].includes(status);
}

async function forget(
  tx: Queryable,
  queueId: string,
  owed: readonly Owed[],
  waiting: readonly Owed[],
): Promise<void> {
  const done = owed.filter((each) => !waiting.includes(each));
  await tx.query(
    `delete from notice_owed o using unnest($2::smallint[], $3::text[]) as done (ordinal, action)
     where o.queue_id = $1 and o.ordinal = done.ordinal and o.action = done.action`,
    [queueId, done.map(({ ordinal }) => ordinal), done.map(({ action }) => action)],
  );
  if (waiting.length === 0) return;
  await tx.query(
    `update notice_owed set due_at = now() + interval '30 minutes'
     where queue_id = $1 and action = 'delayed' and ordinal = any($2::smallint[])`,
    [queueId, waiting.map(({ ordinal }) => ordinal)],
  );
}

async function findOriginal(tx: Queryable, queueId: string): Promise<Original | undefined> {
  const { rows } = await tx.query<Original>(
    `select m.sender, m.message_id as "messageId", m.received_at as "receivedAt", m.size, m.ret, m.envid,
            p.content as begin
     from message m left join message_part p on p.queue_id = m.queue_id and p.part = 0 where m.queue_id = $1`,
    [queueId],
  );
  return rows[0];
}

async function readAll(tx: Queryable, queueId: string): Promise<Buffer> {
  const { rows } = await tx.query<{ content: Buffer }>(
    'select content from message_part where queue_id = $1 order by part',
    [queueId],
  );
  return Buffer.concat(rows.map(({ content }) => content));
}

async function queueNotice(
  tx: Queryable,
  {
    action,
    queueId,
    from,
    remoteMta,
    original,
    recipients,
    returned,
  }: NoticeSender & {
    action: Action;
    queueId: string;
    original: Original;
    recipients: readonly Owed[];
    returned: { header: string } | { content: Buffer };
  },
): Promise<void> {
  const at = new Date();
  const noticeId = newQueueId(at);
  const messageId = `<${noticeId}@${from.email.slice(from.email.lastIndexOf('@') + 1)}>`;
  const content = await composeNotice({
    action,
    queueId,
    to: original.sender,
    from,
    reportingMta: hostname(),
    remoteMta,
    receivedAt: original.receivedAt,
    at,
    messageId,
    originalMessageId: original.messageId,
    envid: original.envid,
    original: returned,
    recipients,
  });
  const parts = Array.from({ length: Math.ceil(content.length / partBytes) }, (_, part) =>
    content.subarray(part * partBytes, (part + 1) * partBytes),
  );
  await tx.query(
    `with notice as (
       insert into message (queue_id, credential, sender, header_from, message_id, size, priority, eight_bit)
       values ($1, 'postern', '', $2, $3, $4, 1, $5)
       returning queue_id, priority
     ), parts as (
       insert into message_part (queue_id, part, content)
       select $1, position - 1, content from unnest($6::bytea[]) with ordinality as part (content, position)
     ), recipient_of_notice as (
       insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at)
       select queue_id, 0, $7, 'queued', priority, now() from notice
     )
     insert into event (type, queue_id, detail)
     values ('queued', $1, jsonb_build_object('noticeFor', $8::text)),
            ('notified', $8, jsonb_build_object('notice', $1::text, 'to', $7::text, 'action', $9::text))`,
    [
      noticeId,
      from.email,
      messageId,
      content.length,
      content.some((byte) => byte > 127),
      parts,
      original.sender,
      queueId,
      action,
    ],
  );
}
