// How processes tell each other at once that there is something to look at: NOTIFY. The database is where they look; who
// hears nothing looks by itself, only later. For what is rare: a transaction that rings waits for all others that do.
import type { Database, Queryable } from './database.ts';
import { alwaysAwake, everyWhileAwake, type Sleep } from './sleep.ts';

const channels = { relay: 'postern_relay', worker: 'postern_worker' } as const;

export type Bell = keyof typeof channels;

/** Rings when the transaction is committed. @param about for those who would look at everything; nothing means that */
export async function ring(q: Queryable, bell: Bell, about: 'mail' | '' = ''): Promise<void> {
  await q.query(`select pg_notify($1, $2)`, [channels[bell], about]);
}

/** After a promotion of a standby nobody may be late who knows what was committed: this is how they notice at rest. */
const connectAgainMs = 1_000;

/**
 * Listens for as long as it is open, on a connection of its own.
 *
 * @param heard called whenever somebody rang, and whenever somebody may have rung while there was no connection
 */
export function listenTo(
  bell: Bell,
  database: Database,
  heard: (about: string) => void,
  sleep: Sleep = alwaysAwake,
): AsyncDisposable {
  const stopping = Promise.withResolvers<undefined>();
  let hangUp = () => {};
  sleep.onChange((isAsleep) => {
    if (isAsleep) hangUp();
  });
  const listening = everyWhileAwake(sleep, connectAgainMs, async () => {
    const asleep = Promise.withResolvers<undefined>();
    hangUp = () => asleep.resolve(undefined);
    try {
      await using connection = await database.connect();
      await connection.listen(channels[bell], heard);
      heard('');
      if (sleep.isAsleep) return;
      await Promise.race([connection.ended, stopping.promise, asleep.promise]);
    } catch (error) {
      // Whoever cannot listen looks by itself; the pool says that the database is away.
      database.log?.debug({ err: error, bell }, 'Not listening for news; trying again');
    }
  });
  return {
    async [Symbol.asyncDispose]() {
      stopping.resolve(undefined);
      await listening.stop();
    },
  };
}
