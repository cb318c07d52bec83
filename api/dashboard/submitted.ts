// Mail that other applications handed in over SMTP: it has a queue id and recipients, but no row in email.
import type { Queryable } from '../../deploy/database.ts';
import { readMessageTimeline } from '../../relay/client/email/timeline.ts';
import { readSubmittedAgain } from '../../relay/client/message/send-again.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { readHeardOfSubmitted } from '../../relay/client/webhook/delivery.ts';
import { toEventView } from '../emails/email.ts';

type SubmittedRecipient = {
  address: string;
  status: Status;
  reason: string | null;
  reason_detail: string | null;
  attempts: number;
  next_attempt_at: string | null;
  route: string | null;
  reply: string | null;
  finished_at: string | null;
};

type Row = {
  id: string;
  credential: string;
  /** The key that the client logged in with, when it was one. */
  api_key: { id: string; name: string } | null;
  sender: string;
  header_from: string;
  message_id: string;
  /** Null for mail from before subjects were kept. */
  subject: string | null;
  /** That of the worst of its recipients, as for an email; and why. */
  status: Status;
  reason: string | null;
  size: number;
  /** The mail that this one sends again. */
  again_of: string | null;
  tags: { name: string; value: string }[];
  stream: string | null;
  received_at: Date;
  /** Null when none is kept any more. */
  recipients: SubmittedRecipient[] | null;
};

const columns = `
  (select min(status) from recipient where recipient.queue_id = m.queue_id) as status,
  (select reason from recipient where recipient.queue_id = m.queue_id order by status, ordinal limit 1) as reason,
  m.queue_id as id, m.credential, (
    select json_build_object('id', k.id, 'name', k.name) from api_key k
    where k.id = case when m.credential ~ '^key:[0-9a-f-]{36}$' then substr(m.credential, 5)::uuid end
  ) as api_key, m.sender, m.header_from, m.message_id, m.subject, m.size, m.again_of, m.tags, m.stream, m.received_at,
  (select json_agg(json_build_object('address', r.address, 'status', r.status, 'reason', r.reason,
     'reason_detail', r.reason_detail, 'attempts', r.attempts, 'next_attempt_at', r.next_attempt_at, 'route', r.route,
     'reply', r.reply, 'finished_at', r.finished_at) order by r.status, r.ordinal)
   from (select * from recipient where recipient.queue_id = m.queue_id order by status limit 100) r) as recipients`;

/** The newest first. */
export async function findSubmitted(q: Queryable, page: SubmittedPage) {
  const rows = await (page.keyId === undefined ? readPage(q, page) : readPageOfKey(q, page, page.keyId));
  const data = rows.slice(0, page.limit);
  const hasMore = rows.length > page.limit;
  return { data, has_more: hasMore, next: hasMore ? (data.at(-1)?.id ?? null) : null };
}

type SubmittedPage = {
  readonly limit: number;
  readonly after: string | undefined;
  /** Only what this key sent. */
  readonly keyId: string | undefined;
};

async function readPage(q: Queryable, { limit, after }: SubmittedPage): Promise<Row[]> {
  const { rows } = await q.query<Row>(
    `select ${columns} from message m
     where m.email_id is null and ($1::text is null or m.queue_id < $1)
     order by m.queue_id desc limit $2`,
    [after ?? null, limit + 1],
  );
  return rows;
}

async function readPageOfKey(q: Queryable, { limit, after }: SubmittedPage, keyId: string): Promise<Row[]> {
  const { rows } = await q.query<Row>(
    `select ${columns} from message m
     where m.credential = 'key:' || $3::text and m.credential like 'key:%' and ($1::text is null or m.queue_id < $1)
     order by m.queue_id desc limit $2`,
    [after ?? null, limit + 1, keyId],
  );
  return rows;
}

/** One message with its timeline and the words for its causes; undefined when there is none. */
export async function readSubmitted(q: Queryable, queueId: string) {
  const { rows } = await q.query<Row>(
    `select ${columns} from message m where m.queue_id = $1 and m.email_id is null`,
    [queueId],
  );
  const message = rows[0];
  if (!message) return undefined;
  const [events, heard, sentAgain] = await Promise.all([
    readMessageTimeline(q, queueId),
    readHeardOfSubmitted(q, queueId),
    readSubmittedAgain(q, queueId),
  ]);
  const named = [
    ...(message.recipients ?? []).map(({ reason }) => reason),
    ...events.map(({ detail }) => detail.cause),
  ];
  return {
    message,
    events: events.map(toEventView),
    heard,
    sent_again: sentAgain,
    causes: await readCauses(q, named),
  };
}

/** Mail of the api has a page of its own, which hides the links of invitations. */
export async function isSubmitted(q: Queryable, queueId: string): Promise<boolean> {
  const { rowCount } = await q.query('select from message where queue_id = $1 and email_id is null', [
    queueId,
  ]);
  return rowCount > 0;
}
