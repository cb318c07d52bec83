// What the relay refused to submitters: for whoever wonders where the mail of an application is.
import type { Queryable } from '../../../deploy/database.ts';
import { batchSize } from '../erasure/retention.ts';

/** The same refusal of the same client within an hour is one, with a count. */
export type RefusalView = {
  readonly client: string;
  /** The name that logged in, or tried to; of a key its own name. */
  readonly credential: string;
  readonly stage: string;
  readonly reason: string;
  /** MAIL FROM, where it had been said. */
  readonly sender: string;
  /** The last reply. */
  readonly reply: string;
  readonly count: number;
  readonly first_at: Date;
  readonly last_at: Date;
};

/** The newest first. */
export async function listRefusals(q: Queryable, limit: number): Promise<RefusalView[]> {
  const { rows } = await q.query<RefusalView>(
    `select client, coalesce((
         select k.name from api_key k
         where k.id = case when credential ~ '^key:[0-9a-f-]{36}$' then substr(credential, 5)::uuid end
       ), credential) as credential, stage, reason, sender, reply, count, first_at, last_at
     from refusal order by last_at desc limit $1`,
    [limit],
  );
  return rows;
}

/** Forgets refusals that were seen last `olderThanSeconds` ago. */
export async function forgetRefusals(q: Queryable, olderThanSeconds: number): Promise<number> {
  const { rowCount } = await q.query(
    `delete from refusal where key in (
       select key from refusal where last_at < now() - make_interval(secs => $1) order by last_at limit $2
     )`,
    [olderThanSeconds, batchSize],
  );
  return rowCount;
}
