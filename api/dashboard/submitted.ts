// Mail that other applications handed in over SMTP: it has a queue id and recipients, but no row in email.
import type { Queryable } from '../../deploy/database.ts';
import { readMessageTimeline } from '../../relay/client/email/timeline.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import type { CauseWords } from '../../relay/client/status/own-causes.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { readHeardOfSubmitted } from '../../relay/client/webhook/delivery.ts';
import { toEventView } from '../emails/email.ts';

type Row = {
  id: string;
  credential: string;
  sender: string;
  header_from: string;
  message_id: string;
  size: number;
  received_at: Date;
  /** Null when none is kept any more. */
  recipients: { address: string; status: Status; reason: string | null }[] | null;
};

const columns = `
  m.queue_id as id, m.credential, m.sender, m.header_from, m.message_id, m.size, m.received_at,
  (select json_agg(json_build_object('address', r.address, 'status', r.status, 'reason', r.reason,
     'reason_detail', r.reason_detail, 'attempts', r.attempts, 'next_attempt_at', r.next_attempt_at, 'route', r.route,
     'reply', r.reply, 'finished_at', r.finished_at) order by r.status, r.ordinal)
   from (select * from recipient where recipient.queue_id = m.queue_id order by status limit 100) r) as recipients`;

/** The newest first. */
export async function listSubmitted(
  q: Queryable,
  { limit, after }: { limit: number; after: string | undefined },
): Promise<{
  data: Row[];
  has_more: boolean;
  next: string | null;
  causes: Readonly<Record<string, CauseWords>>;
}> {
  const { rows } = await q.query<Row>(
    `select ${columns} from message m
     where m.email_id is null and ($1::text is null or m.queue_id < $1)
     order by m.queue_id desc limit $2`,
    [after ?? null, limit + 1],
  );
  const data = rows.slice(0, limit);
  const hasMore = rows.length > limit;
  const causes = await readCauses(
    q,
    data.flatMap(({ recipients }) => recipients?.map(({ reason }) => reason) ?? []),
  );
  return { data, has_more: hasMore, next: hasMore ? (data.at(-1)?.id ?? null) : null, causes };
}

/** One message with its timeline and the words for its causes; undefined when there is none. */
export async function readSubmitted(q: Queryable, queueId: string) {
  const { rows } = await q.query<Row>(
    `select ${columns} from message m where m.queue_id = $1 and m.email_id is null`,
    [queueId],
  );
  const message = rows[0];
  if (!message) return undefined;
  const [events, heard] = await Promise.all([
    readMessageTimeline(q, queueId),
    readHeardOfSubmitted(q, queueId),
  ]);
  const named = [
    ...(message.recipients ?? []).map(({ reason }) => reason),
    ...events.map(({ detail }) => detail.cause),
  ];
  return {
    message,
    events: events.map(toEventView),
    heard,
    causes: await readCauses(q, named),
  };
}
