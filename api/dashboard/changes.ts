// Which emails and messages something happened to, since they were asked for the last time.
import type { Queryable } from '../../deploy/database.ts';

// Events get their number before their transaction commits; this far back a late one is still noticed.
const lookBack = 200;
const mostEvents = 500;

export type ChangeReader = {
  /** Their ids; none the first time. */
  next(): Promise<string[]>;
  /** Begins anew: the next call is a first one. */
  reset(): void;
};

export function openChangeReader(database: Queryable): ChangeReader {
  const reported = new Set<string>();
  let lastEvent: string | undefined;
  return {
    async next() {
      if (lastEvent === undefined) {
        const { rows } = await database.query<{ id: string }>(
          'select id from event order by id desc limit 1',
        );
        lastEvent = rows[0]?.id ?? '0';
        return [];
      }
      const { rows } = await database.query<{ id: string; about: string }>({
        name: 'stream-changes',
        text: `select id, coalesce(email_id::text, queue_id) as about from event
               where id > $1::bigint - ${lookBack} order by id desc limit ${mostEvents}`,
        values: [lastEvent],
      });
      const fresh = rows.filter(({ id }) => !reported.has(id));
      for (const { id } of fresh) reported.add(id);
      if (reported.size > 20 * mostEvents) reported.clear();
      lastEvent = rows[0]?.id ?? lastEvent;
      return [...new Set(fresh.map(({ about }) => about))];
    },
    reset() {
      lastEvent = undefined;
      reported.clear();
    },
  };
}
