// graphile-worker: the crontab and its tasks. A job is only ever a wake-up; what it wakes is safe to run twice, at
// once or not at all, because the rows are the fence.

import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger, run, type TaskList, type WorkerEvents } from 'graphile-worker';
import type { Database } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import { alwaysAwake, type Sleep } from '../deploy/sleep.ts';

// Explicit identifiers: renaming a task must not make graphile-worker forget when it last ran. `fill` catches up
// on one missed minute after an outage, no more.
// Every five minutes is enough: the drain has a clock of its own, and housekeeping goes on until there is nothing left.
const crontab = `
*/5 * * * * drain ?id=drain&fill=5m&max=3
*/5 * * * * housekeeping ?id=housekeeping&fill=5m&max=3
`;

// New jobs are told by NOTIFY. This finds those that were told to nobody.
const pollIntervalMs = 60_000;
const restartAfterMs = 2_000;

export type Jobs = AsyncDisposable & {
  /** graphile-worker's name for this process while it runs: jobs are locked under it. */
  readonly pool: string | null;
};

export type Tasks = { readonly drain: () => Promise<void>; readonly housekeeping: () => Promise<void> };

/**
 * Runs the tasks until disposed; jobs that are running then get time to finish. graphile-worker installs and
 * updates its own schema. It keeps polling through an outage of PostgreSQL, but ends when one hits its start or
 * the storing of a job's fate: then it is started again.
 */
export function startJobs({
  database,
  log,
  tasks,
  sleep = alwaysAwake,
}: {
  database: Database;
  log: Log;
  tasks: Tasks;
  sleep?: Sleep;
}): Jobs {
  const stopping = new AbortController();
  let pool: string | null = null;
  let stop: (() => Promise<void>) | undefined;

  async function keepRunning(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep.untilAwake(stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        const events: WorkerEvents = new EventEmitter();
        events.on('pool:create', ({ workerPool }) => {
          pool = workerPool.id;
        });
        const runner = await run({
          pgPool: database.pool,
          taskList: tasks satisfies TaskList,
          crontab,
          // One slot for each task. Sending is not a job of its own, so this does not limit it.
          concurrency: 2,
          pollInterval: pollIntervalMs,
          // runProcess handles signals; a second handler would force-fail jobs.
          noHandleSignals: true,
          events,
          logger: loggerTo(log),
          preset: {
            worker: {
              // It keeps several jobs in memory, where a kill loses them.
              localQueue: { size: -1 },
              // Not below 0: then nobody waits for the storing of a job's fate, and a database that is away ends the
              // process by an unhandled rejection (graphile-worker 0.18). With 0 the runner stops and is started again.
              completeJobBatchDelay: 0,
              failJobBatchDelay: 0,
            },
          },
        });
        stop = () => runner.stop();
        if (stopping.signal.aborted || sleep.isAsleep) await runner.stop();
        await runner.promise;
      } catch (error) {
        if (!stopping.signal.aborted) log.warn({ err: error }, 'Job runner stopped; starting it again');
      }
      pool = null;
      stop = undefined;
      await pause(restartAfterMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  sleep.onChange((isAsleep) => {
    if (isAsleep) stop?.().catch((error) => log.warn({ err: error }, 'Job runner did not stop cleanly'));
  });
  const running = keepRunning();
  return {
    get pool() {
      return pool;
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await stop?.().catch((error) => log.warn({ err: error }, 'Job runner did not stop cleanly'));
      await running;
    },
  };
}

/** Every job's start and success is news for debugging only. */
function loggerTo(log: Log): Logger {
  const levels = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const;
  return new Logger((scope) => (level, message) => {
    log[levels[level]]({ task: scope.taskIdentifier, job: scope.jobId }, `graphile-worker: ${message}`);
  });
}
