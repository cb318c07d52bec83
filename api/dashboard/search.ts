// Finding mail among a million: by words, addresses and kind through documents that are written behind the mail,
// by status through the index of the mail itself. api/ owns search_document; the mail is read, never changed.
import type { Database, Queryable } from '../../deploy/database.ts';
import type { EmailKind, Status } from '../../relay/client/vocabulary.ts';

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

// ASCII punctuation and space, and nothing that could be a letter somewhere.
const wordBreak = /[\s!-/:-@[-`{-~]+/;
const maxWordLength = 200;

/** Without case and accents: people type `oberg` and mean Öberg. */
const plain = (text: string) => text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();

/**
 * The tsquery of what somebody typed: every word must begin a word of the mail; a word with an @ begins an address.
 * Undefined when there is nothing to look for.
 */
export function queryOf({ text = '', kind }: Pick<EmailSearch, 'text' | 'kind'>): string | undefined {
  const typed = plain(text).split(/[\s<>,;"]+/);
  const words = typed.flatMap((word) =>
    word.includes('@') && !word.startsWith('@') ? [word] : word.split(wordBreak),
  );
  const lexemes = words.filter((word) => word !== '').map((word) => `${quoted(word)}:*`);
  if (kind !== undefined) lexemes.push(quoted(`kind:${kind}`));
  return lexemes.length === 0 ? undefined : lexemes.slice(0, 20).join(' & ');
}

type Described = {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly from_address: string;
  readonly from_name: string | null;
  readonly client_id: string | null;
  readonly entry_key: string | null;
  readonly recipients: readonly { readonly address: string; readonly name: string | null }[];
};

/** The tsvector of a mail: whole addresses, and all words of addresses, names and the subject. */
function wordsOf(email: Described): string {
  const addresses = [email.from_address, ...email.recipients.map(({ address }) => address)].map(plain);
  const names = [
    email.from_name,
    email.client_id,
    email.entry_key,
    ...email.recipients.map(({ name }) => name),
  ];
  const words = plain([email.subject, ...names].filter((name) => name !== null).join(' '))
    .concat(' ', addresses.join(' '))
    .split(wordBreak);
  const all = new Set([...addresses, ...words, `kind:${email.kind}`]);
  all.delete('');
  return [...all].map(quoted).join(' ');
}

const quoted = (word: string) =>
  `'${word.slice(0, maxWordLength).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

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

// Any number will do, as long as nothing else in this database locks the same one.
const writersLock = 7678368;
const patience = '500ms';
const atOnce = 2_000;
// Ids are drawn before their transactions commit; whoever was slower than this is found by the next start.
const overlapMs = 60_000;

/**
 * Writes the documents that are missing, one batch at a time, from the newest document on. Answers how many were
 * written: none means that it is done. One process writes at a time; rejects when another has been at it for long.
 */
export async function writeDocuments(database: Database): Promise<number> {
  return database.transaction(async (tx) => {
    await tx.query(`set local lock_timeout = '${patience}'`);
    await tx.query('select pg_advisory_xact_lock($1)', [writersLock]);
    const { rows: edges } = await tx.query<{ edge: string }>(
      // The time is in the first 48 bits of an id (RFC 9562 section 5.7).
      `select (lpad(to_hex(greatest(0, ('x' || left(replace(email_id::text, '-', ''), 12))::bit(48)::bigint
         - ${overlapMs})), 12, '0') || repeat('0', 20))::uuid as edge
       from search_document order by email_id desc limit 1`,
    );
    // Not named: the plan for a million documents is not the one for the first.
    const { rows } = await tx.query<Described>(
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
      values: [rows.map(({ id }) => id), rows.map(wordsOf)],
    });
    return rows.length;
  });
}
