// The promise of a 201: an endpoint hears of every change that is committed after it.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database, Queryable } from '../../deploy/database.ts';
import { currentTransaction, isNothingOlder } from '../../relay/client/webhook/webhook.ts';

const patienceMs = 5_000;
const lookEveryMs = 20;

/**
 * What to do after the commit, before the answer: a change that began before and did not see the endpoint gets time to
 * be committed.
 */
export async function heardByAll(database: Database, tx: Queryable): Promise<() => Promise<void>> {
  const ours = await currentTransaction(tx);
  return async () => {
    const deadline = performance.now() + patienceMs;
    try {
      while (!(await isNothingOlder(database, ours)) && performance.now() < deadline)
        await pause(lookEveryMs);
    } catch {
      // It is committed; a database that went away meanwhile takes nothing back.
    }
  };
}
