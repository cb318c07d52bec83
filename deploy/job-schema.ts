// graphile-worker's schema, brought up to date by the owner of the database: the worker may not change it.
import { Logger, runMigrations } from 'graphile-worker';
import type { Database } from './database.ts';
import type { Log } from './log.ts';

export async function migrateJobs(database: Database, log: Log): Promise<void> {
  await runMigrations({
    pgPool: database.pool,
    logger: new Logger(() => (level, message) => {
      log[level === 'error' ? 'error' : 'debug'](`graphile-worker: ${message}`);
    }),
  });
}
