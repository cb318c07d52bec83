// Sending submitted mail again: a new message with the octets of another, linked to it. What became of the first stays.
import { ring } from '../../../deploy/bell.ts';
import type { Queryable } from '../../../deploy/database.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';
import { newMessageId } from '../email/message-id.ts';
import { appendEvents } from '../email/timeline.ts';
import { erasedAddress } from '../erasure/person.ts';
import { newQueueId } from '../queue-id.ts';
import type { Status } from '../vocabulary.ts';
import { renewHeader } from './renew-header.ts';

export type Submitted = {
  readonly queueId: string;
  /** Who submitted it: `key:ID`, a name of RELAY_USERS or a trusted network. */
  readonly credential: string;
  /** MAIL FROM; empty for a notice. */
  readonly sender: string;
  readonly headerFrom: string;
  readonly size: number;
  readonly status: Status;
  /** Those that are known still. */
  readonly recipients: number;
};

/** Undefined when no application submitted such a mail. */
export async function readSubmittedMail(q: Queryable, queueId: string): Promise<Submitted | undefined> {
  const { rows } = await q.query<Submitted>(
    `select m.queue_id as "queueId", m.credential, m.sender, m.header_from as "headerFrom", m.size,
       coalesce((select min(r.status) from recipient r where r.queue_id = m.queue_id), 'sent') as status,
       (select count(*) from recipient r where r.queue_id = m.queue_id and r.address <> $2)::integer as recipients
     from message m where m.queue_id = $1 and m.email_id is null`,
    [queueId, erasedAddress],
  );
  return rows[0];
}

export type SubmittedAgain =
  | { readonly outcome: 'queued'; readonly queueId: string; readonly messageId: string }
  | { readonly outcome: 'refused'; readonly why: string };

const refused = (why: string): SubmittedAgain => ({ outcome: 'refused', why });

/**
 * Queues it once more for all of its recipients, within the caller's transaction.
 *
 * @param actor who asked, for the timeline
 */
export async function submitAgain(
  tx: Queryable,
  { queueId: first, sender, headerFrom, size, recipients }: Submitted,
  actor: string,
): Promise<SubmittedAgain> {
  if (sender === '') return refused('It is a notice of a mail system, and notices are not sent again.');
  if (recipients === 0) return refused('Its recipients are no longer known.');
  const { rows } = await tx.query<{ content: Buffer; now: Date }>(
    'select content, now() as now from message_source($1, 0)',
    [first],
  );
  const [part] = rows;
  if (!part) return refused('Its body is no longer stored.');
  const messageId = newMessageId(uuidv7(), headerFrom || sender);
  const renewed = renewHeader(part.content, messageId, part.now);
  if (renewed.outcome === 'signed')
    return refused(
      'It carries a DKIM signature of the application, which a new Message-ID and Date would break. Let the application send it.',
    );
  if (renewed.outcome === 'unreadable') return refused('Its header is longer than what is read here.');

  const queueId = newQueueId(part.now);
  await tx.query('select submit_again($1, $2, $3, $4, $5, $6, $7)', [
    first,
    queueId,
    messageId,
    renewed.bytes,
    size - part.content.length + renewed.bytes.length,
    actor,
    erasedAddress,
  ]);
  await appendEvents(tx, [{ type: 'sent-again', queueId: first, detail: { actor, queueId } }]);
  await ring(tx, 'relay');
  return { outcome: 'queued', queueId, messageId };
}

export type SubmittedCopy = { readonly id: string; readonly status: Status; readonly created_at: Date };

const mostShown = 20;

/** The mail that was made of this one, newest first. */
export async function readSubmittedAgain(q: Queryable, queueId: string): Promise<SubmittedCopy[]> {
  const { rows } = await q.query<SubmittedCopy>(
    `select m.queue_id as id, m.received_at as created_at,
       coalesce((select min(r.status) from recipient r where r.queue_id = m.queue_id), 'sent') as status
     from message m where m.again_of = $1 order by m.queue_id desc limit ${mostShown}`,
    [queueId],
  );
  return rows;
}
