// What a standby that took over without the last commits has cost, for as long as somebody may still wonder.
import type { Queryable } from '../../deploy/database.ts';

/** Nothing is said of what was longer ago. */
const saidForDays = 30;

/** One note, or none. */
export async function lookForMissingCommits(q: Queryable): Promise<string[]> {
  const { rows } = await q.query<{ since: Date | null; until: Date; held: number }>(
    `select missing_since as since, missing_until as until,
       (select count(*)::integer from (
          select from recipient where status = 'held' and reason = 'database-restored' limit 100000) waiting) as held
     from database_identity where missing_until > now() - $1 * interval '1 day'`,
    [saidForDays],
  );
  const [missing] = rows;
  if (!missing) return [];
  const { since, until, held } = missing;
  const window = since
    ? `Commits of ${((until.getTime() - since.getTime()) / 1_000).toFixed(1)} s are missing in this database, from ${since.toISOString()} to ${until.toISOString()}`
    : `Commits before ${until.toISOString()} are missing in this database`;
  const waiting = held > 0 ? ` ${held} recipients are held until somebody releases them.` : '';
  return [
    `${window}: a standby took over without them. Mail and changes that were accepted in that time may be lost.${waiting}`,
  ];
}
