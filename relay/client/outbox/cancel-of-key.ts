// Cancelling all that waits of one key, because the key leaked: what it asked for over HTTP and over SMTP. Each mail is
// cancelled by itself, as if a person did it, so what is on its way stays what it is.
import type { Database, Queryable } from '../../../deploy/database.ts';
import { cancelEmailWithin, cancelSubmittedWithin } from './cancel.ts';

export type CancelledOfKey = {
  readonly cancelled: number;
  /** Whether some may be left, because the time was up or the database went away. */
  readonly more: boolean;
};

const atOnce = 200;

/** Cancels for at most `budgetMs`. Never throws. */
export async function cancelWaitingOfKey(
  database: Database,
  keyId: string,
  { actor, budgetMs }: { actor: string; budgetMs: number },
): Promise<CancelledOfKey> {
  const deadline = performance.now() + budgetMs;
  let cancelled = 0;

  /** Page by page, whatever becomes of each: what is too late would be found again for ever. */
  async function all(
    find: (q: Queryable, keyId: string, after: string) => Promise<string[]>,
    cancel: typeof cancelEmailWithin,
  ): Promise<boolean> {
    for (let after = ''; ; ) {
      const ids = await find(database, keyId, after);
      for (const id of ids) {
        if (performance.now() > deadline) return false;
        const { outcome } = await database.transaction((tx) => cancel(tx, id, actor));
        if (outcome === 'cancelled') cancelled++;
      }
      if (ids.length < atOnce) return true;
      after = ids.at(-1) as string;
    }
  }

  try {
    const isDone =
      (await all(findEmails, cancelEmailWithin)) && (await all(findMessages, cancelSubmittedWithin));
    return { cancelled, more: !isDone };
  } catch (error) {
    database.log?.warn({ err: error, keyId }, 'Not all waiting mail of a key could be cancelled');
    return { cancelled, more: true };
  }
}

async function findEmails(q: Queryable, keyId: string, after: string): Promise<string[]> {
  const { rows } = await q.query<{ id: string }>({
    name: 'waiting-emails-of-key',
    text: `
      select id from email
      where api_key_id = $1 and status in ('pending', 'queued', 'deferred', 'held') and ($2 = '' or id < $2::uuid)
      order by id desc limit $3`,
    values: [keyId, after, atOnce],
  });
  return rows.map(({ id }) => id);
}

async function findMessages(q: Queryable, keyId: string, after: string): Promise<string[]> {
  const { rows } = await q.query<{ id: string }>({
    name: 'waiting-messages-of-key',
    text: `
      select m.queue_id as id from message m
      where m.credential = 'key:' || $1::text and m.credential like 'key:%' and ($2 = '' or m.queue_id < $2)
        and exists (
          select from recipient r where r.queue_id = m.queue_id and r.status in ('queued', 'deferred', 'held'))
      order by m.queue_id desc limit $3`,
    values: [keyId, after, atOnce],
  });
  return rows.map(({ id }) => id);
}
