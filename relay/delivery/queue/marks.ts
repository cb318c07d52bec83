// The dot mark: "from here on the provider may have the data", durable before the final dot.
//
// Marks of all connections share commits: whoever asks while one is under way goes with the next.
import type { Queryable } from '../../../deploy/database.ts';

export type Mark = { readonly queueId: string; readonly token: string; readonly ordinals: readonly number[] };

export type Marked = { readonly markedAt: string; readonly askedAt: number };

type Waiting = Mark & { resolve(marked: Marked | undefined): void; reject(error: unknown): void };

export type Marks = {
  /**
   * Resolves when the mark is committed for every given recipient, with the time it bears and the moment
   * (monotonic, ms) it was asked for; with undefined when the claim is not ours any more. Rejects when
   * nobody knows: the connection to the database was lost.
   */
  mark(mark: Mark): Promise<Marked | undefined>;
};

export function openMarks(q: Queryable): Marks {
  let waiting: Waiting[] = [];
  let isUnderWay = false;

  const flush = async () => {
    // One at a time: who waits for the disk meanwhile makes the next group larger, and the database has less to do.
    if (isUnderWay || waiting.length === 0) return;
    const group = waiting;
    waiting = [];
    isUnderWay = true;
    const askedAt = performance.now();
    try {
      const markedAt = await write(q, group);
      for (const { resolve, queueId, ordinals } of group) {
        const times = ordinals.map((ordinal) => markedAt.get(`${queueId} ${ordinal}`));
        const [first] = times;
        resolve(
          first !== undefined && times.every((time) => time !== undefined)
            ? { markedAt: first, askedAt }
            : undefined,
        );
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    } finally {
      isUnderWay = false;
      void flush();
    }
  };

  return {
    mark: (mark) =>
      new Promise((resolve, reject) => {
        waiting.push({ ...mark, resolve, reject });
        // Whoever comes in the same turn of the event loop goes along.
        setImmediate(flush);
      }),
  };
}

async function write(q: Queryable, group: readonly Mark[]): Promise<Map<string, string>> {
  const rows = group.flatMap(({ queueId, token, ordinals }) =>
    ordinals.map((ordinal) => ({ queueId, ordinal, token })),
  );
  const { rows: marked } = await q.query<{ key: string; markedAt: string }>({
    name: 'mark',
    // Locks in the order of the key, as results do; the clock is read after waiting for them.
    text: `
      with ours as materialized (
        select r.queue_id, r.ordinal
        from (
          select * from unnest($1::text[], $2::smallint[], $3::uuid[]) as w (queue_id, ordinal, token)
          order by queue_id collate "C", ordinal
        ) w
        cross join lateral (
          select r.queue_id, r.ordinal from recipient r
          where r.queue_id = w.queue_id and r.ordinal = w.ordinal
            -- A token means that it is being sent (the constraint says so). Asking for the status as well would
            -- invite the planner to walk over all leases for each mail.
            and r.claim_token = w.token and r.lease_until > clock_timestamp()
          for update
        ) r
      )
      update recipient r set marked_at = now()
      from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal
      returning r.queue_id || ' ' || r.ordinal as key, r.marked_at::text as "markedAt"`,
    values: [rows.map((row) => row.queueId), rows.map((row) => row.ordinal), rows.map((row) => row.token)],
  });
  return new Map(marked.map(({ key, markedAt }) => [key, markedAt]));
}
