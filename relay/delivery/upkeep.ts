// What may concern every waiting mail at once: the mail of a restored backup, mail that waits for a provider, mail of
// senders that are free again. It runs beside delivery and in batches, so that neither a statement nor delivery waits
// for a million mails.
import type { Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { every } from '../../deploy/repeat.ts';
import { liftHoldsOfForeignLanes, releaseLifted } from '../lane-state/lane-state.ts';
import { configurationBatch, holdUnconfigured, releaseUnconfigured } from './queue/configuration.ts';
import { holdRestored } from './queue/restored.ts';

type Upkeep = {
  readonly database: Database;
  readonly log: Log;
  /** What the provider's settings lack; undefined when there is a provider. */
  readonly missing: readonly string[] | undefined;
  /** The keys of the lanes in use. */
  readonly lanes: readonly string[];
  readonly pauseMs: number;
  readonly signal: AbortSignal;
  /** There may be mail to claim. */
  readonly wake: () => void;
  readonly stumbled: (error: unknown) => void;
};

/** Runs until stopped; a stop waits for the batch under way. What is left, the next relay goes on with. */
export function startUpkeep({ database, log, missing, lanes, pauseMs, signal, wake, stumbled }: Upkeep) {
  async function restored(): Promise<void> {
    let held = 0;
    while (!signal.aborted) {
      const step = await holdRestored(database);
      if (step.state === 'idle') return;
      if (step.state === 'finished') {
        log.warn({ event: 'restored-held', held }, 'All waiting mail of the restored database is held');
        return wake();
      }
      held += step.held;
    }
  }

  async function configuration(): Promise<void> {
    let recipients = 0;
    let changed: number;
    do {
      changed = missing ? await holdUnconfigured(database, missing) : await releaseUnconfigured(database);
      recipients += changed;
      if (changed > 0 && !missing) wake();
    } while (changed === configurationBatch && !signal.aborted);
    if (recipients > 0) {
      log.info(
        { event: missing ? 'held' : 'released', recipients, cause: 'not-configured' },
        'The configuration of the provider changed what happens to waiting mail',
      );
    }
  }

  return every(pauseMs, async () => {
    try {
      await restored();
      await configuration();
      if (lanes.length > 0) await liftHoldsOfForeignLanes(database, lanes);
      await releaseLifted(database, { signal, released: (recipients) => recipients > 0 && wake() });
    } catch (error) {
      stumbled(error);
    }
  });
}
