// Recovery: jobs that a killed worker had locked. graphile-worker itself frees them after four hours.
import type { Queryable } from '../deploy/database.ts';
import { silentAfterSeconds } from '../relay/client/status/heartbeat.ts';

/**
 * Unlocks the jobs of every worker that no living process calls its own. That is safe even when such a worker is
 * merely frozen: its jobs only wake things up. Answers the workers' names.
 */
export async function unlockDeadWorkers(q: Queryable): Promise<string[]> {
  const { rows } = await q.query<{ worker: string }>(
    `select distinct locked_by as worker from graphile_worker.jobs
     where locked_by is not null
       and locked_at < now() - make_interval(secs => $1)
       and not exists (
         select from heartbeat
         where process = 'worker' and report ->> 'pool' = locked_by
           and seen_at > now() - make_interval(secs => $1)
       )`,
    [silentAfterSeconds],
  );
  const workers = rows.map(({ worker }) => worker);
  if (workers.length > 0) await q.query('select graphile_worker.force_unlock_workers($1::text[])', [workers]);
  return workers;
}
