// Finding mail among a million: by words, addresses and kind through the documents of search-documents.ts,
// by status through the index of the mail itself.
import type { Queryable } from '../../deploy/database.ts';
import type { EmailKind, Status } from '../../relay/client/vocabulary.ts';
import { queryOf } from './search-words.ts';

export type EmailSearch = {
  readonly text?: string | undefined;
  readonly statuses?: readonly Status[] | undefined;
  readonly kind?: EmailKind | undefined;
};

export type FoundEmail = {
  readonly id: string;
  readonly kind: EmailKind;
  readonly status: Status;
  readonly reason: string | null;
  readonly subject: string;
  readonly recipients: readonly { readonly address: string; readonly name: string | null }[];
  readonly created_at: Date;
  readonly due_at: Date;
  readonly updated_at: Date;
  readonly paused: boolean;
};

export type Edge = {
  readonly limit: number;
  /** Only emails older than this one. */
  readonly after?: string | undefined;
};

// What most searches find in: the newest documents, read in order. Only what is rarer asks the index of words.
const recentDocuments = 10_000;
const recentOfStatus = 5_000;

/** The newest emails that match, at most `limit`. */
export async function findEmails(q: Queryable, search: EmailSearch, edge: Edge): Promise<FoundEmail[]> {
  const ids = await findIds(q, search, edge);
  if (ids.length === 0) return [];
  const { rows } = await q.query<FoundEmail>({
    name: 'found-emails',
    text: `select id, kind, status, reason, subject, recipients, created_at, due_at, updated_at, paused
           from email where id = any($1) order by id desc`,
    values: [ids],
  });
  return rows;
}

/** The ids alone, the newest first: what a bulk action works on. */
export async function findIds(q: Queryable, search: EmailSearch, { limit, after }: Edge): Promise<string[]> {
  const words = queryOf(search);
  const statuses = search.statuses?.length ? search.statuses : undefined;
  const values = [after ?? null, limit, statuses ?? null, words ?? null];
  const ids = async (text: string) =>
    (
      await q.query<{ id: string }>(text, words === undefined ? values.slice(0, statuses ? 3 : 2) : values)
    ).rows.map(({ id }) => id);

  if (words === undefined) return ids(statuses ? byStatus : newest);
  const { rows } = await q.query<{ ids: string[]; isAll: boolean }>(
    statuses ? amongNewestOfStatus : amongNewest,
    values,
  );
  const [recent] = rows;
  return recent?.isAll || recent?.ids.length === limit ? recent.ids : ids(byWords);
}

const newest = 'select id from email where $1::uuid is null or id < $1 order by id desc limit $2';

// A few rows of each status, in order, instead of all rows of all statuses.
const newestOfStatus = (limit: string) => `
  select found.id from unnest($3::mail_status[]) as wanted (status)
  cross join lateral (
    select e.id from email e
    where e.status = wanted.status and ($1::uuid is null or e.id < $1) order by e.id desc limit ${limit}
  ) found
  order by found.id desc limit ${limit}`;

const byStatus = newestOfStatus('$2');

const amongNewest = `
  with recent as materialized (
    select email_id as id, words from search_document where $1::uuid is null or email_id < $1
    order by email_id desc limit ${recentDocuments}
  )
  select array(select id from recent where words @@ $4::tsquery order by id desc limit $2) as ids,
         $3::mail_status[] is null and (select count(*) from recent) < ${recentDocuments} as "isAll"`;

const amongNewestOfStatus = `
  with recent as materialized (${newestOfStatus(`${recentOfStatus}`)})
  select array(
           select id from recent join search_document d on d.email_id = recent.id
           where d.words @@ $4::tsquery order by id desc limit $2
         ) as ids,
         (select count(*) from recent) < ${recentOfStatus} as "isAll"`;

// The planner takes any word for a frequent one and would read a million documents in order until a page is full;
// materialized, it has to ask the index of words. What gets here is rare, or long ago.
const byWords = `
  with matching as materialized (
    select email_id as id from search_document
    where words @@ $4::tsquery and ($1::uuid is null or email_id < $1)
  )
  select id from matching
  where $3::mail_status[] is null or exists (select from email e where e.id = matching.id and e.status = any($3))
  order by id desc limit $2`;

// By status the index alone is counted; by words each mail has to be looked at.
const countedUpTo = 100_000;
const countedByWordsUpTo = 20_000;

/** How many match, and how far it was counted: as many means "at least". */
export async function countEmails(
  q: Queryable,
  search: EmailSearch,
): Promise<{ count: number; countedUpTo: number }> {
  const words = queryOf(search);
  const atMost = words === undefined ? countedUpTo : countedByWordsUpTo;
  const statuses = search.statuses?.length ? search.statuses : null;
  const { rows } = await q.query<{ found: number }>(
    words === undefined
      ? `select count(*)::integer as found from (
           select from email e where $1::mail_status[] is null or e.status = any($1) limit $2
         ) counted`
      : `select count(*)::integer as found from (
           select from search_document d
           where d.words @@ $3::tsquery
             and ($1::mail_status[] is null
                  or exists (select from email e where e.id = d.email_id and e.status = any($1)))
           limit $2
         ) counted`,
    words === undefined ? [statuses, atMost] : [statuses, atMost, words],
  );
  return { count: rows[0]?.found ?? 0, countedUpTo: atMost };
}
