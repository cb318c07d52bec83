// Finding emails: the newest first, or what is scheduled, soonest first.
import type { Queryable } from '../../../deploy/database.ts';
import type { EmailKind, Status } from '../vocabulary.ts';
import type { Email } from './email.ts';
import { type EmailRow, summaryColumns, toEmail } from './row.ts';
import type { Tag } from './tag.ts';

/** All that is given must hold. */
export type EmailFilter = {
  readonly statuses?: readonly Status[] | undefined;
  readonly kinds?: readonly EmailKind[] | undefined;
  /** Any recipient's address, in any case of letters. */
  readonly recipient?: string | undefined;
  /** The same address as a tsquery over search_document, which belongs to the api: then all mail need not be read. */
  readonly recipientWords?: string | undefined;
  readonly customerId?: string | undefined;
  readonly clientId?: string | undefined;
  /** The key that asked for it. */
  readonly apiKeyId?: string | undefined;
  readonly tag?: Tag | undefined;
  readonly stream?: string | undefined;
  /** Words of the subject. */
  readonly subject?: string | undefined;
  readonly createdFrom?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  readonly dueFrom?: Date | undefined;
  readonly dueBefore?: Date | undefined;
};

export type Page = {
  readonly limit: number;
  /** The id of the last email of the page before. */
  readonly after?: string | undefined;
  /** The id of the first email of the page behind, to read towards the newer ones. */
  readonly before?: string | undefined;
};

export type EmailList = {
  /** Without their bodies: text and html are null. */
  readonly emails: readonly Email[];
  readonly hasMore: boolean;
};

type Order = {
  readonly order: string;
  readonly behind: (after: string) => string;
  /** Further conditions. */
  readonly and?: ((parameter: (value: unknown) => string) => string) | undefined;
};

const newestFirst: Order = { order: 'e.id desc', behind: (after) => `e.id < ${after}` };

const nearestNewer: Order = { order: 'e.id', behind: (before) => `e.id > ${before}` };

/** Emails of any kind, the newest first. With `before`, `hasMore` says whether there are still newer ones. */
export async function listEmails(q: Queryable, filter: EmailFilter, page: Page): Promise<EmailList> {
  if (page.before !== undefined) {
    // The nearest ones first, so that no more are read than are shown.
    const newer = await list(q, filter, { limit: page.limit, after: page.before }, nearestNewer);
    return { ...newer, emails: newer.emails.toReversed() };
  }
  const { recipientWords } = filter;
  if (recipientWords === undefined) return list(q, filter, page, newestFirst);
  const edge = await edgeOfRecent(q, page.after);
  if (edge === undefined) return list(q, filter, page, newestFirst);
  const recent = await list(q, filter, page, { ...newestFirst, and: (p) => `e.id >= ${p(edge)}` });
  if (recent.hasMore) return recent;
  const rest = { limit: page.limit - recent.emails.length, after: edge };
  const ids = await findCandidates(q, recipientWords, edge);
  const and = ids && ((p: (value: unknown) => string) => `e.id = any(${p(ids)}::uuid[])`);
  const older = await list(q, filter, rest, { ...newestFirst, and });
  return { emails: [...recent.emails, ...older.emails], hasMore: older.hasMore };
}

// The newest mail is read one by one: an address that is in much of it fills its page there, and a rare one has few
// documents to look up.
const recentEmails = 10_000;

/** The last of those that are read one by one; undefined when they are all there is. */
async function edgeOfRecent(q: Queryable, after: string | undefined): Promise<string | undefined> {
  const { rows } = await q.query<{ id: string }>({
    name: 'edge-of-recent-emails',
    text: `select id from email where $1::uuid is null or id < $1 order by id desc offset ${recentEmails} limit 1`,
    values: [after ?? null],
  });
  return rows[0]?.id;
}

// Of a more frequent address the next page is soon full, whoever reads the mail in order.
const mostCandidates = 20_000;

/**
 * Older mail that may be to the address: what its document says, and what has none yet or will get another. Documents
 * are written in order, so what has none is newer than nearly all that have one. Undefined when there are too many.
 */
async function findCandidates(q: Queryable, words: string, edge: string): Promise<string[] | undefined> {
  const { rows } = await q.query<{ id: string }>(
    `(select email_id as id from search_document where words @@ $1::tsquery and email_id < $2 limit ${mostCandidates})
     union all (select email_id from search_document where words is null limit ${mostCandidates})
     union all (
       select id from email
       where id < $2 and id > coalesce(
         (select email_id from search_document order by email_id desc offset ${recentEmails} limit 1),
         '00000000-0000-0000-0000-000000000000')
       limit ${mostCandidates}
     )`,
    [words, edge],
  );
  return rows.length < mostCandidates ? rows.map(({ id }) => id) : undefined;
}

/** The same by due time, the soonest first: what will be sent next. */
export function listByDueTime(q: Queryable, filter: EmailFilter, page: Page): Promise<EmailList> {
  return list(q, filter, page, {
    order: 'e.due_at, e.id',
    behind: (after) =>
      `(e.due_at, e.id) > (select last.due_at, last.id from email last where last.id = ${after})`,
  });
}

async function list(
  q: Queryable,
  filter: EmailFilter,
  { limit, after }: Page,
  { order, behind, and }: Order,
): Promise<EmailList> {
  const values: unknown[] = [];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const conditions: string[] = [];
  const where = (value: unknown, condition: (parameter: string) => string) => {
    if (value !== undefined) conditions.push(condition(parameter(value)));
  };
  where(filter.statuses, (p) => `e.status = any(${p}::mail_status[])`);
  where(filter.kinds, (p) => `e.kind = any(${p})`);
  where(filter.customerId, (p) => `e.customer_id = ${p}`);
  where(filter.clientId, (p) => `e.client_id = ${p}`);
  // Its index holds mail with tags only.
  where(filter.tag && JSON.stringify([filter.tag]), (p) => `e.tags <> '[]' and e.tags @> ${p}::jsonb`);
  where(filter.stream, (p) => `e.stream = ${p}`);
  where(filter.apiKeyId, (p) => `e.api_key_id = ${p}`);
  where(
    filter.recipient,
    (p) => `exists (
    select from jsonb_array_elements(e.recipients) r where lower(r ->> 'address') = lower(${p})
  )`,
  );
  where(filter.subject, (p) => `strpos(lower(e.subject), lower(${p})) > 0`);
  where(filter.createdFrom, (p) => `e.created_at >= ${p}`);
  where(filter.createdBefore, (p) => `e.created_at < ${p}`);
  where(filter.dueFrom, (p) => `e.due_at >= ${p}`);
  where(filter.dueBefore, (p) => `e.due_at < ${p}`);
  where(after, behind);
  if (and) conditions.push(and(parameter));

  const { rows } = await q.query<EmailRow>(
    `select ${summaryColumns}, null as text_body, null as html_body
     from email e ${conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''}
     order by ${order} limit ${parameter(limit + 1)}`,
    values,
  );
  return { emails: rows.slice(0, limit).map(toEmail), hasMore: rows.length > limit };
}
