// How much waits for its turn at the relay: with the pace of the lane it tells when the queue will be clear.
import type { Queryable } from '../../../deploy/database.ts';

/** Recipients that wait to be sent. */
export async function countWaiting(q: Queryable): Promise<number> {
  const { rows } = await q.query<{ recipients: number }>(
    `select count(*)::integer as recipients from recipient where status in ('queued', 'deferred')`,
  );
  return rows[0]?.recipients ?? 0;
}
