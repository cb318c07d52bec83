// Which emails and messages something happened to, since they were asked for the last time: rows of the timeline, mail
// that came in over SMTP, and recipients that came to an end, which have no rows there.
import type { Queryable } from '../../deploy/database.ts';

// Events and messages get their ids before their transaction commits; this far back a late one is still noticed.
const lookBack = 200;
const lookBackSeconds = 10;
/** Of each kind. */
const most = 500;

export type ChangeReader = {
  /** Their ids; none the first time. */
  next(): Promise<string[]>;
  /** Begins anew: the next call is a first one. */
  reset(): void;
};

type Mark = {
  readonly event: string;
  /** A queue id: what is newer is looked at. */
  readonly message: string;
  readonly at: Date;
};

type Row = { readonly key: string; readonly about: string; readonly kind: 'event' | 'message' | 'recipient' };

export function openChangeReader(database: Queryable): ChangeReader {
  const reported = new Set<string>();
  let mark: Mark | undefined;

  async function readMark(): Promise<Mark> {
    const { rows } = await database.query<Mark>(
      `select coalesce((select id from event order by id desc limit 1), 0)::text as event,
         coalesce((select queue_id from message order by queue_id desc limit 1), '') as message, now() as at`,
    );
    return rows[0] as Mark;
  }

  async function readSince({ event, message, at }: Mark): Promise<Row[]> {
    const { rows } = await database.query<Row>({
      name: 'stream-changes',
      text: `
        (select 'event' as kind, id::text as key, coalesce(email_id::text, queue_id) as about from event
         where id > $1::bigint - ${lookBack} order by id desc limit ${most})
        union all
        (select 'message', queue_id, coalesce(email_id::text, queue_id) from message
         where queue_id > $2 order by queue_id desc limit ${most})
        union all
        (select 'recipient', queue_id || ' ' || ordinal || ' ' || finished_at, coalesce(email_id::text, queue_id)
         from recipient where finished_at > $3::timestamptz - interval '${lookBackSeconds} seconds'
         order by finished_at desc limit ${most})`,
      values: [event, message, at],
    });
    return rows;
  }

  return {
    async next() {
      const now = await readMark();
      if (mark === undefined) {
        mark = now;
        return [];
      }
      const rows = await readSince(mark);
      const messages = rows.filter(({ kind }) => kind === 'message');
      mark = { ...now, message: messages[lookBack]?.key ?? mark.message };
      const fresh = rows.filter(({ kind, key }) => !reported.has(`${kind} ${key}`));
      for (const { kind, key } of fresh) reported.add(`${kind} ${key}`);
      if (reported.size > 60 * most) reported.clear();
      return [...new Set(fresh.map(({ about }) => about))];
    },
    reset() {
      mark = undefined;
      reported.clear();
    },
  };
}
