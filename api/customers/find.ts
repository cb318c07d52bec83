// Looking customers up, with their owner and what became of their latest invitation.
import type { Queryable } from '../../deploy/database.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { Problem } from '../problem.ts';
import {
  type CustomerRow,
  type CustomerView,
  customerColumns,
  type InvitationView,
  type OwnerView,
  toCustomerView,
  toOwnerView,
} from './customer.ts';

/** One customer, locked against other changes when it is going to be changed. Throws `not-found`. */
export async function findCustomer(
  q: Queryable,
  id: string,
  { lock = false }: { lock?: boolean } = {},
): Promise<CustomerRow> {
  const { rows } = await q.query<CustomerRow>(
    `select ${customerColumns} from customer c join owner o on o.customer_id = c.id
     where c.id = $1 ${lock ? 'for update' : ''}`,
    [id],
  );
  if (!rows[0]) throw new Problem('not-found', `There is no customer ${id}.`);
  return rows[0];
}

/** Newest first. `text` is looked for in names and addresses. */
export async function listCustomers(
  q: Queryable,
  filter: { status?: string | undefined; text?: string | undefined },
  page: { limit: number; after?: string | undefined },
): Promise<CustomerRow[]> {
  const { rows } = await q.query<CustomerRow>(
    `select ${customerColumns} from customer c join owner o on o.customer_id = c.id
     where ($1::text is null or c.status = $1)
       and ($2::text is null or concat_ws(' ', c.name, c.email, o.name, o.email) ilike $2)
       and ($3::uuid is null or c.id < $3)
     order by c.id desc limit $4`,
    [
      filter.status ?? null,
      filter.text === undefined ? null : containing(filter.text),
      page.after ?? null,
      page.limit + 1,
    ],
  );
  return rows;
}

/** A LIKE pattern that means the text itself. */
const containing = (text: string) => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;

/** The owner's latest invitation, or null when there was none. */
async function latestInvitation(q: Queryable, ownerId: string): Promise<InvitationView | null> {
  const { rows } = await q.query<{
    email_id: string;
    status: Status | null;
    expires_at: Date;
    accepted_at: Date | null;
    revoked_at: Date | null;
  }>(
    `select i.email_id, e.status, i.expires_at, i.accepted_at, i.revoked_at
     from invitation i left join email e on e.id = i.email_id
     where i.owner_id = $1 order by i.id desc limit 1`,
    [ownerId],
  );
  const row = rows[0];
  if (!row) return null;
  return {
    email_id: row.email_id,
    status: row.status,
    expires_at: row.expires_at.toISOString(),
    accepted_at: row.accepted_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
  };
}

/** What most answers about one customer consist of. */
export async function describeCustomer(
  q: Queryable,
  row: CustomerRow,
): Promise<{ customer: CustomerView; owner: OwnerView; invitation: InvitationView | null }> {
  return {
    customer: toCustomerView(row),
    owner: toOwnerView(row),
    invitation: await latestInvitation(q, row.owner_id),
  };
}
