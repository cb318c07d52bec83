// What somebody should look at, by status and cause: how much it is and how old the oldest. Of a long queue the oldest are
// counted, and of what is over, what ended within a day.
import type { Queryable } from '../../deploy/database.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import type { CauseWords } from '../../relay/client/status/own-causes.ts';
import type { Status } from '../../relay/client/vocabulary.ts';

/** Beyond this the number of a group says "at least". */
const lookedAt = 5_000;

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
      select status, cause, count(distinct id)::integer as count, min(at) as oldest from (
        select e.status, e.reason as cause, e.id::text as id, e.created_at as at
        from unnest('{uncertain,held,deferred}'::mail_status[]) as wanted (status)
        cross join lateral (
          select status, reason, id, created_at from email where status = wanted.status order by id limit $1
        ) e
        union all
        select e.status, e.reason, e.id::text, e.created_at
        from unnest('{bounced,expired}'::mail_status[]) as wanted (status)
        cross join lateral (
          select status, reason, id, created_at, finished_at from email where status = wanted.status order by id desc limit $1
        ) e where e.finished_at > now() - interval '1 day'
        union all
        select r.status, r.reason, r.queue_id, m.received_at from (
          (select status, reason, queue_id, email_id from recipient where status = 'uncertain' limit $1)
          union all (select status, reason, queue_id, email_id from recipient where status = 'held' limit $1)
          union all (select status, reason, queue_id, email_id from recipient where status in ('queued', 'deferred') limit $1)
          union all (
            select status, reason, queue_id, email_id from recipient
            where finished_at > now() - interval '1 day' and finished_at is not null order by finished_at desc limit $1
          )
        ) r join message m using (queue_id)
        where r.email_id is null and r.status in ('uncertain', 'held', 'deferred', 'bounced', 'expired')
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
