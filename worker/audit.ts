// Forgetting old entries of the audit list.
import type { Queryable } from '../deploy/database.ts';
import { batchSize } from '../relay/client/erasure/retention.ts';

/** Not sooner than after 365 days, which the database itself sees to. */
export async function forgetAudit(q: Queryable, olderThanSeconds: number): Promise<number> {
  const { rowCount } = await q.query(
    `delete from audit_entry where id in (
       select id from audit_entry
       where at < now() - greatest(make_interval(secs => $1), interval '365 days')
       order by at limit $2
     )`,
    [olderThanSeconds, batchSize],
  );
  return rowCount;
}
