// What somebody should look at, by status and cause: how much it is and how old the oldest. Of a long queue the oldest are
// counted, and of what is over, what ended within a day.
import type { Queryable } from '../../deploy/database.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import type { CauseWords } from '../../relay/client/status/own-causes.ts';
import type { Status } from '../../relay/client/vocabulary.ts';

/** Beyond this the number of a group says "at least". */
const lookedAt = 1_000;

export type Attention = {
  readonly groups: readonly {
    readonly status: Status;
    readonly cause: string | null;
    /** Emails of the API and messages over SMTP. */
    readonly count: number;
    /** When the oldest was made or taken. */
    readonly oldest: Date;
  }[];
  readonly counted_up_to: number;
  readonly causes: Readonly<Record<string, CauseWords>>;
};

export async function readAttention(q: Queryable): Promise<Attention> {
  const { rows: groups } = await q.query<Attention['groups'][number]>({
    name: 'attention',
    text: `
      -- One literal for each status: of a parameter the planner does not know how rare it is, and reads all mail.
      select status, cause, sum(count)::integer as count, min(oldest) as oldest from (
        select e.status, e.reason as cause, count(*) as count, min(e.created_at) as oldest from (
          (select status, reason, created_at, finished_at from email where status = 'uncertain' order by id limit $1)
          union all (select status, reason, created_at, finished_at from email where status = 'held' order by id limit $1)
          union all (select status, reason, created_at, finished_at from email where status = 'deferred' order by id limit $1)
          union all (select status, reason, created_at, finished_at from email where status = 'bounced' order by id desc limit $1)
          union all (select status, reason, created_at, finished_at from email where status = 'expired' order by id desc limit $1)
        ) e
        where e.finished_at is null or e.finished_at > now() - interval '1 day'
        group by 1, 2
        union all
        -- Queue ids sort by their time of arrival, so of each group one message is looked up.
        select status, reason, count, (select received_at from message m where m.queue_id = groups.first) from (
          select status, reason, count(distinct queue_id) as count, min(queue_id) as first from (
            (select status, reason, queue_id, email_id from recipient where status = 'uncertain' limit $1)
            union all (select status, reason, queue_id, email_id from recipient where status = 'held' limit $1)
            union all (select status, reason, queue_id, email_id from recipient where status in ('queued', 'deferred') limit $1)
            union all (
              select status, reason, queue_id, email_id from recipient
              where finished_at > now() - interval '1 day' and finished_at is not null order by finished_at desc limit $1
            )
          ) r
          where r.email_id is null and r.status in ('uncertain', 'held', 'deferred', 'bounced', 'expired')
          group by 1, 2
        ) groups
      ) looked_at
      group by status, cause order by array_position('{uncertain,held,deferred,expired,bounced}', status::text), count desc limit 12`,
    values: [lookedAt],
  });
  const causes = await readCauses(
    q,
    groups.map(({ cause }) => cause),
  );
  return { groups, counted_up_to: lookedAt, causes };
}
