// QUEUE_LIFETIME counts only time in which mail could have left. A tick says "a lane is open"; the gaps between
// ticks, whatever they came from (a stopped lane, a relay that was down, a database that was away), do not count.
import type { Queryable } from '../../../deploy/database.ts';

/** A gap shorter than this is a slow tick. */
const slackSeconds = 30;

/** Says that a lane is open now. @param sleptSeconds of them a relay that had nothing to do slept, with an open lane */
export async function tickOpen(q: Queryable, sleptSeconds = 0): Promise<void> {
  await q.query({
    name: 'tick-open',
    text: `
      with before as (select last_open_at from open_clock for update),
      gap as (
        insert into lane_closure (from_at, until_at)
        select last_open_at, now() from before
        where last_open_at < now() - (${slackSeconds} + $1::float8) * interval '1 second'
        on conflict (from_at) do update set until_at = greatest(lane_closure.until_at, excluded.until_at)
      )
      update open_clock set last_open_at = greatest(open_clock.last_open_at, now()) from before`,
    values: [sleptSeconds],
  });
}

/** Seconds since `queueId` was accepted in which a lane was open. */
export async function openSeconds(q: Queryable, queueId: string): Promise<number> {
  const { rows } = await q.query<{ seconds: number }>(
    `select extract(epoch from now() - m.received_at - coalesce((
       select sum(c.until_at - greatest(c.from_at, m.received_at)) from lane_closure c where c.until_at > m.received_at
     ), interval '0'))::float8 as seconds
     from message m where m.queue_id = $1`,
    [queueId],
  );
  return rows[0]?.seconds ?? 0;
}
