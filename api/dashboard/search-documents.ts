// Writing the documents that emails are found by, behind the emails: search_document belongs to the api.
import type { Database } from '../../deploy/database.ts';
import { type SearchableEmail, searchVector } from './search-words.ts';

// Any number will do, as long as nothing else in this database locks the same one.
const writersLock = 7678368;
const lockTimeout = '500ms';
const atOnce = 2_000;
// Ids are drawn before their transactions commit; whoever was slower than this is found by the next start.
const overlapMs = 60_000;

/**
 * Writes the documents that are missing, one batch at a time, from the newest document on. Answers how many were
 * written: none means that it is done. One process writes at a time; rejects when another has been at it for long.
 */
export async function writeDocuments(database: Database): Promise<number> {
  return database.transaction(async (tx) => {
    await tx.query(`set local lock_timeout = '${lockTimeout}'`);
    await tx.query('select pg_advisory_xact_lock($1)', [writersLock]);
    const { rows: edges } = await tx.query<{ edge: string }>(
      // The time is in the first 48 bits of an id (RFC 9562 section 5.7).
      `select (lpad(to_hex(greatest(0, ('x' || left(replace(email_id::text, '-', ''), 12))::bit(48)::bigint
         - ${overlapMs})), 12, '0') || repeat('0', 20))::uuid as edge
       from search_document order by email_id desc limit 1`,
    );
    // Not named: the plan for a million documents is not the one for the first.
    const { rows } = await tx.query<SearchableEmail>(
      `(
         select e.id, e.kind, e.subject, e.from_address, e.from_name, e.client_id, e.entry_key, e.recipients
         from email e
         where e.id > $1
           and not exists (select from search_document d where d.email_id = e.id and d.email_id > $1)
         order by e.id limit $2
       )
       union all
       (
         select e.id, e.kind, e.subject, e.from_address, e.from_name, e.client_id, e.entry_key, e.recipients
         from search_document d join email e on e.id = d.email_id where d.words is null limit $2
       )`,
      [edges[0]?.edge ?? '00000000-0000-0000-0000-000000000000', atOnce],
    );
    if (rows.length === 0) return 0;
    await tx.query({
      name: 'write-documents',
      text: `
        insert into search_document (email_id, words)
        select id, words::tsvector from unnest($1::uuid[], $2::text[]) as given (id, words)
        on conflict (email_id) do update set words = excluded.words`,
      values: [rows.map(({ id }) => id), rows.map(searchVector)],
    });
    return rows.length;
  });
}
