// What became of an email at each of its recipients.
import type { Queryable } from '../../../deploy/database.ts';
import type { Status } from '../vocabulary.ts';

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
  /** The last reply of the provider, word for word. */
  readonly reply: string | null;
  readonly providerQueueId: string | null;
  readonly finishedAt: Date | null;
  /** When a delivery report said that it bounced after the provider had taken it. */
  readonly bouncedAt: Date | null;
};

/** The recipients of an email that the relay has taken, in their order; none before that. */
export async function readDeliveries(q: Queryable, emailId: string): Promise<Delivery[]> {
  const { rows } = await q.query<Delivery>(
    `select r.address, r.status, r.attempts, r.next_attempt_at as "nextAttemptAt", r.reason,
            r.reason_detail as "reasonDetail", r.route, r.reply_code as "replyCode",
            r.enhanced_code as "enhancedCode", r.reply, r.provider_queue_id as "providerQueueId",
            r.finished_at as "finishedAt", r.bounced_at as "bouncedAt"
     from email e join recipient r on r.queue_id = e.queue_id
     where e.id = $1 order by r.ordinal`,
    [emailId],
  );
  return rows;
}
