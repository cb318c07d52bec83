// A job that is done, and a database that will not store that: graphile-worker ends its runner, never the process.
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

test('the worker lives on when the end of a job cannot be stored', async () => {
  await using stack = await startStack({ processes: ['worker'], provider: false });
  const { query } = stack.database;
  await until(
    async () =>
      (await query(`select from pg_class where oid = to_regclass('graphile_worker._private_jobs')`)).rowCount,
  );
  await query(
    `create function fail() returns trigger language plpgsql as
     $$ begin raise exception 'no space left' using errcode = '53100'; end $$`,
  );
  await query(
    `create trigger fails before delete on graphile_worker._private_jobs for each row execute function fail()`,
  );
  await query(`select graphile_worker.add_job('drain')`);
  await until(() => stack.worker.process.output.includes('Runner stopping (reason'), {
    what: 'the runner to stop',
    timeoutMs: 60_000,
  });
  expect(stack.worker.process.exit).toBeUndefined();

  await query('drop trigger fails on graphile_worker._private_jobs');
  await query(`select graphile_worker.add_job('housekeeping', job_key := 'again')`);
  await until(
    async () => (await query(`select from graphile_worker.jobs where key = 'again'`)).rowCount === 0,
    {
      what: 'the runner that was started again to do a job',
      timeoutMs: 60_000,
    },
  );
}, 150_000);
