// When a key was used last: for a person who wonders whether anybody still needs it. It is written beside the requests,
// never in their transactions, for all keys together, and each at most once a minute.
import type { Queryable } from '../../../deploy/database.ts';
import type { Log } from '../../../deploy/log.ts';

export type LastUse = AsyncDisposable & {
  note(keyId: string): void;
};

const againAfterMs = 60_000;
/** Keys that are used at the same time share a statement. */
const gatherMs = 500;
const mostRemembered = 10_000;

export function openLastUse(q: Queryable, log: Log): LastUse {
  const notedAt = new Map<string, number>();
  let waiting: string[] = [];
  let timer: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    timer = undefined;
    const keys = waiting;
    waiting = [];
    try {
      await q.query({ name: 'keys-were-used', text: 'select keys_were_used($1)', values: [keys] });
    } catch (error) {
      // The next use after a minute is noted again.
      log.debug({ err: error, event: 'key-use-unwritten' }, 'The last use of keys could not be stored');
    }
  }

  return {
    note(keyId) {
      const now = performance.now();
      const last = notedAt.get(keyId);
      if (last !== undefined && now - last < againAfterMs) return;
      if (notedAt.size >= mostRemembered) notedAt.clear();
      notedAt.set(keyId, now);
      waiting.push(keyId);
      timer ??= setTimeout(() => void write(), gatherMs).unref();
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      if (timer !== undefined) await write();
    },
  };
}
