// Reports that are long over: nothing of the mailbox is read twice before (relay/bounces/record-report.ts).
import type { Queryable } from '../../../deploy/database.ts';
import { batchSize } from './retention.ts';

/** Forgets that reports were read. One batch; answers how many. */
export async function forgetReports(q: Queryable, olderThanSeconds: number): Promise<number> {
  const { rowCount } = await q.query(
    `delete from bounce_report where digest = any(array(
       select digest from bounce_report where read_at < now() - make_interval(secs => $1)
       order by read_at limit ${batchSize}))`,
    [olderThanSeconds],
  );
  return rowCount;
}
