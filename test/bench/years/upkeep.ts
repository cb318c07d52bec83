// What it costs to forget: how fast, how long one statement lasts, and how much room is lost in a year of it.
import type { Database } from '../../../deploy/database.ts';
import {
  type Batch,
  firstPlace,
  forgetEmails,
  forgetMessages,
  type Place,
} from '../../../relay/client/erasure/retention.ts';
import type { TestDatabase } from '../../kit/database.ts';
import { diskBytes } from '../disk.ts';
import { daysAgo, daysKept, growingTables, writeMail } from './mail.ts';

const day = 86_400;

export type Forgotten = { readonly mails: number; readonly seconds: number; readonly slowestMs: number };

/** All that was finished `days` ago, or as much of it as is done when `isOver` says so. */
export async function forget(
  database: Database,
  days: number,
  isOver: () => boolean = () => false,
): Promise<Forgotten> {
  const began = performance.now();
  let [mails, slowestMs] = [0, 0];
  let from: Place = firstPlace;
  const batches: (() => Promise<Batch>)[] = [
    () => forgetEmails(database, days * day),
    async () => {
      const step = await forgetMessages(database, { from, olderThanSeconds: days * day });
      from = step.reached;
      return step;
    },
  ];
  for (const batch of batches) {
    for (let isEnd = false; !isEnd && !isOver(); ) {
      const asked = performance.now();
      const done = await batch();
      slowestMs = Math.max(slowestMs, performance.now() - asked);
      mails += done.count;
      isEnd = done.isEnd;
    }
  }
  return { mails, seconds: (performance.now() - began) / 1_000, slowestMs };
}

/**
 * A year in which every day brings as much mail as is forgotten, and PostgreSQL's autovacuum comes when the settings of
 * the table call it. Answers the room taken at its end against its beginning.
 */
export async function liveAYear(
  given: TestDatabase,
  database: Database,
  perDay: number,
  say: (line: string) => void,
): Promise<{ ratio: number; vacuums: number; bytes: number }> {
  const { query } = given;
  const kept = perDay * daysKept;
  const since = daysAgo(daysKept);
  await writeMail(given, { since, from: 0, to: kept, perDay });
  await query('vacuum (analyze)');
  const before = await diskBytes(given);
  let vacuums = 0;
  for (let today = 1; today <= 365; today++) {
    await writeMail(given, { since, from: kept + (today - 1) * perDay, to: kept + today * perDay, perDay });
    await forget(database, daysKept - today);
    for (const table of await tablesToVacuum(database)) {
      await query(`vacuum (analyze) ${table}`);
      vacuums++;
    }
    if (today % 73 === 0) say(`day ${today}: ${((await diskBytes(given)) / before).toFixed(3)} × the room`);
  }
  const bytes = await diskBytes(given);
  return { ratio: bytes / before, vacuums, bytes };
}

/** As autovacuum decides it (PostgreSQL 17, section 24.1.6). */
async function tablesToVacuum(database: Database): Promise<string[]> {
  // What this session has counted is told to everybody now.
  await database.query('select pg_stat_force_next_flush()');
  const { rows } = await database.query<{ relname: string }>(
    `select c.relname
     from pg_class c join pg_stat_user_tables s on s.relid = c.oid
     left join lateral (
       select option_value::float8 as scale from pg_options_to_table(c.reloptions)
       where option_name = 'autovacuum_vacuum_scale_factor'
     ) o on true
     where c.relname = any($1) and s.n_dead_tup > 50 + coalesce(o.scale, 0.2) * c.reltuples`,
    [growingTables],
  );
  return rows.map(({ relname }) => relname);
}
