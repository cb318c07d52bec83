// Limits count in minutes of the database's clock. A test that needs one whole minute does its work again when the
// minute turned meanwhile.
import type { Queryable } from '../../deploy/database.ts';

/** What `work` came to in a minute that did not turn. It runs again in the next one, so it must not mind what it left. */
export async function withinOneMinute<Result>(
  q: Pick<Queryable, 'query'>,
  work: () => Promise<Result>,
): Promise<Result> {
  const minute = async () => {
    const { rows } = await q.query<{ minute: string }>("select date_trunc('minute', now())::text as minute");
    return rows[0]?.minute;
  };
  for (let tries = 0; tries < 3; tries++) {
    const before = await minute();
    const result = await work();
    if ((await minute()) === before) return result;
  }
  throw new Error('The work takes longer than a minute');
}
