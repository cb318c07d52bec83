// The outbox: emails that wait for their time or for the relay.
import { ring } from '../../../deploy/bell.ts';
import type { Queryable } from '../../../deploy/database.ts';

/**
 * Milliseconds until the next email may be handed over, by the database's clock; zero or less when one is due now,
 * undefined when none waits.
 */
export async function nextDueInMs(q: Queryable): Promise<number | undefined> {
  const { rows } = await q.query<{ ms: number | null }>({
    name: 'next-due',
    text: `select extract(epoch from min(next_hand_over_at) - clock_timestamp())::float8 * 1000 as ms
           from email where status = 'pending' and not paused`,
  });
  return rows[0]?.ms ?? undefined;
}

/**
 * Rings for the workers when nothing is due sooner: they sleep until the next due time that they know of. Said once
 * the transaction is committed.
 */
export async function tellNewDueTime(tx: Queryable, dueAt: Date): Promise<void> {
  const { rows } = await tx.query<{ isEarliest: boolean }>({
    name: 'is-earliest-due',
    text: `select coalesce(min(next_hand_over_at) >= $1, false) as "isEarliest"
           from email where status = 'pending' and not paused`,
    values: [dueAt],
  });
  if (rows[0]?.isEarliest) await ring(tx, 'worker');
}

/** How many emails wait for their time, are due now, or are paused. */
export async function countOutbox(q: Queryable): Promise<{ scheduled: number; due: number; paused: number }> {
  const { rows } = await q.query<{ scheduled: number; due: number; paused: number }>(
    `select count(*) filter (where not paused and due_at > now()) as scheduled,
            count(*) filter (where not paused and due_at <= now()) as due,
            count(*) filter (where paused) as paused
     from email where status = 'pending'`,
  );
  return rows[0] ?? { scheduled: 0, due: 0, paused: 0 };
}
