// The outbox: emails that wait for their time or for the relay.
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
