// The relay's heartbeat: other processes answer from it what only the relay knows.
import type { Database } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import { every } from '../deploy/repeat.ts';
import { beat, beatIntervalMs, type RelayReport } from './client/status/heartbeat.ts';

/** Beats at once and every five seconds until disposed. The first beat must succeed: a relay nobody knows of is none. */
export async function sendHeartbeats({
  database,
  instance,
  log,
  report,
}: {
  database: Database;
  instance: string;
  log: Log;
  report: () => RelayReport;
}): Promise<AsyncDisposable> {
  const once = () => beat(database, { instance, process: 'relay', report: report() });
  await once();
  const beating = every(
    beatIntervalMs,
    () => once().catch((error) => log.warn({ err: error }, 'Heartbeat failed')),
    { first: 'after a pause' },
  );
  return { [Symbol.asyncDispose]: () => beating.stop() };
}
