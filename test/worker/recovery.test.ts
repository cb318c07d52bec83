import { makeWorkerUtils } from 'graphile-worker';
import { expect, test } from 'vitest';
import { beat } from '../../relay/client/status/heartbeat.ts';
import { unlockDeadWorkers } from '../../worker/unlock.ts';
import { startPostern, type TestPostern } from '../relay/client/postern.ts';

/** A job that the given worker has locked for the given time. */
async function lockedJob({ database, db }: TestPostern, worker: string, seconds: number): Promise<void> {
  const utils = await makeWorkerUtils({ pgPool: database.pool });
  const job = await utils.addJob('housekeeping', {});
  await utils.release();
  await db.query(
    `update graphile_worker._private_jobs set locked_by = $2, locked_at = now() - make_interval(secs => $3)
     where id = $1`,
    [job.id, worker, seconds],
  );
}

const lockHolders = async ({ db }: TestPostern) => {
  const { rows } = await db.query<{ locked_by: string | null }>(
    'select locked_by from graphile_worker.jobs order by locked_by nulls last',
  );
  return rows.map((row) => row.locked_by);
};

test('jobs of workers that nobody vouches for are unlocked, those of living workers are not', async () => {
  await using postern = await startPostern();
  const worker = (instance: string, pool: string) =>
    beat(postern.database, { instance, process: 'worker', report: { pool } });
  await worker('01900000-0000-7000-8000-000000000001', 'pool-living');
  await worker('01900000-0000-7000-8000-000000000002', 'pool-silent');
  await postern.db.query(
    `update heartbeat set seen_at = now() - interval '21 seconds' where report ->> 'pool' = 'pool-silent'`,
  );
  for (const pool of ['pool-living', 'pool-silent', 'pool-unknown']) await lockedJob(postern, pool, 60);
  await lockedJob(postern, 'pool-starting', 1);

  expect((await unlockDeadWorkers(postern.database)).toSorted()).toEqual(['pool-silent', 'pool-unknown']);
  expect(await lockHolders(postern)).toEqual(['pool-living', 'pool-starting', null, null]);
  expect(await unlockDeadWorkers(postern.database)).toEqual([]);
});
