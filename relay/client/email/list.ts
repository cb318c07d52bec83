// Finding emails: the newest first, or what is scheduled, soonest first.
import type { Queryable } from '../../../deploy/database.ts';
import type { EmailKind, Status } from '../vocabulary.ts';
import type { Email } from './email.ts';
import { type EmailRow, summaryColumns, toEmail } from './row.ts';

/** All that is given must hold. */
export type EmailFilter = {
  readonly statuses?: readonly Status[] | undefined;
  readonly kinds?: readonly EmailKind[] | undefined;
  /** Any recipient's address, in any case of letters. */
  readonly recipient?: string | undefined;
  readonly customerId?: string | undefined;
  readonly clientId?: string | undefined;
  /** The key that asked for it. */
  readonly apiKeyId?: string | undefined;
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
};

export type EmailList = {
  /** Without their bodies: text and html are null. */
  readonly emails: readonly Email[];
  readonly hasMore: boolean;
};

/** Emails of any kind, the newest first. */
export function listEmails(q: Queryable, filter: EmailFilter, page: Page): Promise<EmailList> {
  return list(q, filter, page, {
    order: 'e.id desc',
    behind: (after) => `e.id < ${after}`,
  });
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
  { order, behind }: { order: string; behind: (after: string) => string },
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

  const { rows } = await q.query<EmailRow>(
    `select ${summaryColumns}, null as text_body, null as html_body
     from email e ${conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''}
     order by ${order} limit ${parameter(limit + 1)}`,
    values,
  );
  return { emails: rows.slice(0, limit).map(toEmail), hasMore: rows.length > limit };
}
