// Finding mail of the api among a million: by words, addresses and kind through the documents of search-documents.ts,
// by everything else through the indexes of the mail itself.
import type { Queryable } from '../../deploy/database.ts';
import type { EmailKind, Status } from '../../relay/client/vocabulary.ts';
import { firstEmailId } from './place.ts';
import { queryOf } from './search-words.ts';

export type MailSearch = {
  readonly text?: string | undefined;
  readonly statuses?: readonly Status[] | undefined;
  readonly kind?: EmailKind | undefined;
  /** Both, or where it came from: the api, or SMTP. */
  readonly source?: 'api' | 'smtp' | undefined;
  readonly tag?: { readonly name: string; readonly value: string } | undefined;
  readonly stream?: string | undefined;
  /** The id of the key that asked for it, or the credential that submitted it. */
  readonly key?: string | undefined;
  readonly customer?: string | undefined;
  readonly client?: string | undefined;
  /** Why it is what it is: of submitted mail, that of its worst recipient. */
  readonly cause?: string | undefined;
  readonly from?: Date | undefined;
  readonly before?: Date | undefined;
  /** Whether what newer mail says is searched too; it is unless told otherwise. */
  readonly readsBodies?: boolean | undefined;
};

export type Edge = {
  readonly limit: number;
  /** Only mail with a smaller id than this. */
  readonly after?: string | undefined;
};

// What most searches find in: the newest documents, read in order. Only what is rarer asks the index of words.
const recentDocuments = 10_000;
const recentOfStatus = 5_000;
// Middles of words are in no index: of so many of the newest, all words are read, and of fewer the bodies.
const readThrough = 3_000;
const readThroughBodies = 300;

/** The ids of the newest emails that match, the newest first. */
export async function findIds(q: Queryable, search: MailSearch, edge: Edge): Promise<string[]> {
  const byIndex = await findByIndex(q, search, edge);
  if (!search.text?.trim()) return byIndex;
  const others = await findByReading(q, search, edge);
  return [...new Set([...byIndex, ...others])].sort().reverse().slice(0, edge.limit);
}

async function findByIndex(q: Queryable, search: MailSearch, { limit, after }: Edge): Promise<string[]> {
  const words = queryOf(search);
  const statuses = search.statuses?.length ? search.statuses : undefined;
  const values: unknown[] = [after ?? null, limit, ...(statuses ? [statuses] : [])];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const more = conditionsOf(search, parameter);
  if (words === undefined) {
    const { rows } = await q.query<{ id: string }>(
      statuses ? newestOfStatus('$2', more) : newest(more),
      values,
    );
    return rows.map(({ id }) => id);
  }
  const matching = parameter(words);
  const { rows } = await q.query<{ ids: string[]; isAll: boolean }>(
    statuses ? amongNewestOfStatus(matching, more) : amongNewest(matching, more),
    values,
  );
  const [recent] = rows;
  if (recent?.isAll || recent?.ids.length === limit) return recent.ids;
  const all = await q.query<{ id: string }>(byWords(matching, statuses !== undefined, more), values);
  return all.rows.map(({ id }) => id);
}

/** Further conditions on `email e`, each with its `and`. */
function conditionsOf(search: MailSearch, parameter: (value: unknown) => string): string {
  const { tag, stream, key, customer, client, cause, from, before } = search;
  const conditions = [
    tag && `e.tags <> '[]' and e.tags @> ${parameter(JSON.stringify([tag]))}::jsonb`,
    stream && `e.stream = ${parameter(stream)}`,
    key && `e.api_key_id = ${parameter(key)}::uuid`,
    customer && `e.customer_id = ${parameter(customer)}::uuid`,
    client && `e.client_id = ${parameter(client)}`,
    cause && `e.reason = ${parameter(cause)}`,
    from && `e.id >= ${parameter(firstEmailId(from.getTime()))}::uuid`,
    before && `e.id < ${parameter(firstEmailId(before.getTime()))}::uuid`,
  ];
  return conditions.map((condition) => (condition ? ` and ${condition}` : '')).join('');
}

const newest = (more: string) =>
  `select e.id from email e where ($1::uuid is null or e.id < $1)${more} order by e.id desc limit $2`;

// A few rows of each status, in order, instead of all rows of all statuses.
const newestOfStatus = (limit: string, more: string) => `
  select found.id from unnest($3::mail_status[]) as wanted (status)
  cross join lateral (
    select e.id from email e
    where e.status = wanted.status and ($1::uuid is null or e.id < $1)${more} order by e.id desc limit ${limit}
  ) found
  order by found.id desc limit ${limit}`;

/** Looked up for each mail, where there is anything to look at. */
const alsoMail = (id: string, more: string) =>
  more === '' ? '' : ` and exists (select from email e where e.id = ${id}${more})`;

const amongNewest = (words: string, more: string) => `
  with recent as materialized (
    select email_id as id, words from search_document where $1::uuid is null or email_id < $1
    order by email_id desc limit ${recentDocuments}
  )
  select array(
           select id from recent where words @@ ${words}::tsquery${alsoMail('recent.id', more)} order by id desc limit $2
         ) as ids,
         (select count(*) from recent) < ${recentDocuments} as "isAll"`;

const amongNewestOfStatus = (words: string, more: string) => `
  with recent as materialized (${newestOfStatus(`${recentOfStatus}`, more)})
  select array(
           select id from recent join search_document d on d.email_id = recent.id
           where d.words @@ ${words}::tsquery order by id desc limit $2
         ) as ids,
         (select count(*) from recent) < ${recentOfStatus} as "isAll"`;

// The planner takes any word for a frequent one and would read a million documents in order until a page is full;
// materialized, it has to ask the index of words. What gets here is rare, or long ago.
const byWords = (words: string, hasStatuses: boolean, more: string) => `
  with matching as materialized (
    select email_id as id from search_document
    where words @@ ${words}::tsquery and ($1::uuid is null or email_id < $1)
  )
  select id from matching
  where ${hasStatuses ? 'exists (select from email e where e.id = matching.id and e.status = any($3))' : 'true'}${alsoMail('matching.id', more)}
  order by id desc limit $2`;

/** Middles of words and names of keys, in the newest mail; of the very newest also what the body says, while it is kept. */
async function findByReading(q: Queryable, search: MailSearch, { limit, after }: Edge): Promise<string[]> {
  const values: unknown[] = [likeIt(search.text), limit, after ?? null];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const { rows } = await q.query<{ id: string }>(
    `${readNewest(alsoStatusAndKind(search, parameter), search)}
     select id from found where $3::uuid is null or id < $3 order by id desc limit $2`,
    values,
  );
  return rows.map(({ id }) => id);
}

const likeIt = (text = '') => `%${text.trim().replaceAll(/[\\%_]/g, '\\$&')}%`;

const alsoStatusAndKind = (search: MailSearch, parameter: (value: unknown) => string): string =>
  (search.statuses?.length ? ` and e.status = any(${parameter(search.statuses)}::mail_status[])` : '') +
  (search.kind ? ` and e.kind = ${parameter(search.kind)}` : '') +
  conditionsOf(search, parameter);

// The body of an invitation holds a link that gives access: a search must not be a way to guess it.
const readNewest = (more: string, { readsBodies = true }: MailSearch) => `
  with recent as materialized (
    select e.id, e.kind, e.subject, e.recipients, e.message_id, e.text_body, e.html_body,
           e.api_key_id,
           row_number() over (order by e.id desc) as place
    from email e where true${more} order by e.id desc limit ${readThrough}
  ), found as (
    select id from recent
    where subject ilike $1 or recipients::text ilike $1 or message_id ilike $1
      or api_key_id in (select k.id from api_key k where k.name ilike $1)
      or (${readsBodies} and place <= ${readThroughBodies} and kind <> 'invitation' and (text_body ilike $1 or html_body ilike $1))
  )`;

// By status the index alone is counted; by words each mail has to be looked at.
const countedUpTo = 100_000;
const countedByWordsUpTo = 20_000;

/** How many match, and how far it was counted: as many means "at least". */
export async function countEmails(
  q: Queryable,
  search: MailSearch,
): Promise<{ count: number; countedUpTo: number }> {
  const words = queryOf(search);
  const atMost = words === undefined ? countedUpTo : countedByWordsUpTo;
  const statuses = search.statuses?.length ? search.statuses : null;
  const values: unknown[] = [statuses, atMost];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const more = conditionsOf(search, parameter);
  const { rows } = await q.query<{ found: number }>(
    words === undefined ? countOf(more) : countByWords(parameter(words), more),
    values,
  );
  const byIndex = rows[0]?.found ?? 0;
  const count =
    words === undefined || byIndex >= atMost ? byIndex : byIndex + (await countOthers(q, search, words));
  return { count, countedUpTo: atMost };
}

/** What only reading finds. */
async function countOthers(q: Queryable, search: MailSearch, words: string): Promise<number> {
  if (!search.text?.trim()) return 0;
  const values: unknown[] = [likeIt(search.text), words];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const { rows } = await q.query<{ found: number }>(
    `${readNewest(alsoStatusAndKind(search, parameter), search)}
     select count(*)::integer as found from found
     where not exists (select from search_document d where d.email_id = found.id and d.words @@ $2::tsquery)`,
    values,
  );
  return rows[0]?.found ?? 0;
}

const countOf = (more: string) => `
  select count(*)::integer as found from (
    select from email e where ($1::mail_status[] is null or e.status = any($1))${more} limit $2
  ) counted`;

const countByWords = (words: string, more: string) => `
  select count(*)::integer as found from (
    select from search_document d
    where d.words @@ ${words}::tsquery
      and ($1::mail_status[] is null or exists (select from email e where e.id = d.email_id and e.status = any($1)))${alsoMail('d.email_id', more)}
    limit $2
  ) counted`;
