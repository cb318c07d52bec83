// Customers and their owners in the database.
import type { Queryable } from '../../deploy/database.ts';
import { finalStatuses } from '../../relay/client/vocabulary.ts';
import { containing } from '../like.ts';
import { Problem } from '../problem.ts';
import type { Template } from '../templates/render.ts';

export const customerStatuses = ['invited', 'active', 'inactive'] as const;

/** A customer beside its owner, as the queries select them. */
export type CustomerRow = {
  id: string;
  name: string;
  email: string;
  status: (typeof customerStatuses)[number];
  created_at: Date;
  updated_at: Date;
  activated_at: Date | null;
  deactivated_at: Date | null;
  owner_id: string;
  owner_name: string;
  owner_email: string;
  owner_activated_at: Date | null;
};

const customerColumns = `
  c.id, c.name, c.email, c.status, c.created_at, c.updated_at, c.activated_at, c.deactivated_at,
  o.id as owner_id, o.name as owner_name, o.email as owner_email, o.activated_at as owner_activated_at`;

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
  if (!rows[0]) throw new Problem('not-found', `Customer ${id} not found.`);
  return rows[0];
}

/** Newest first. `text` is looked for in names and addresses. */
export async function findCustomers(
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

export type PlannedCustomer = {
  readonly customerId: string;
  readonly ownerId: string;
  readonly name: string;
  readonly email: string;
  readonly owner: { readonly name: string; readonly email: string };
};

/** A customer that was just inserted, with what its invitation needs. */
export type FreshCustomer = {
  readonly id: string;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly template: Template | null;
};

/** Inserts those whose address is free, in one statement; an invitation of now lasts until `expires_at`. */
export async function insertCustomers(
  tx: Queryable,
  planned: readonly PlannedCustomer[],
  invitationLastsDays: number,
): Promise<FreshCustomer[]> {
  const { rows } = await tx.query<FreshCustomer>({
    name: 'create-customers',
    // In the order of addresses, so that two transactions that want the same ones wait for each other in a row.
    text: `
      with asked as (
        select * from json_to_recordset($1) as a (
          customer_id uuid, name text, email text, owner_id uuid, owner_name text, owner_email text
        )
      ), fresh as (
        insert into customer (id, name, email)
        select customer_id, name, email from asked order by lower(email), customer_id
        on conflict ((lower(email))) do nothing
        returning id, created_at
      ), owned as (
        insert into owner (id, customer_id, name, email)
        select owner_id, id, owner_name, owner_email from fresh join asked on customer_id = id
      )
      select id, created_at, now() + make_interval(days => $2) as expires_at,
        (select json_build_object('subject', t.subject, 'text', t.text, 'html', t.html)
         from template t where t.kind = 'invitation') as template
      from fresh`,
    values: [JSON.stringify(planned.map(toRow)), invitationLastsDays],
  });
  return rows;
}

const toRow = ({ customerId, name, email, ownerId, owner }: PlannedCustomer) => ({
  customer_id: customerId,
  name,
  email,
  owner_id: ownerId,
  owner_name: owner.name,
  owner_email: owner.email,
});

/** Who has these addresses, by address as it was asked for. */
export async function findIdsByAddress(
  tx: Queryable,
  addresses: readonly string[],
): Promise<Map<string, string>> {
  if (addresses.length === 0) return new Map();
  const { rows } = await tx.query<{ address: string; id: string }>(
    `select address, c.id from unnest($1::text[]) as address join customer c on lower(c.email) = lower(address)`,
    [addresses],
  );
  return new Map(rows.map(({ address, id }) => [address, id]));
}

/** Another customer with this address. */
export async function findOtherWithAddress(
  tx: Queryable,
  address: string,
  customerId: string,
): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from customer where lower(email) = lower($1) and id <> $2',
    [address, customerId],
  );
  return rows[0]?.id;
}

type NameAndAddress = { readonly name?: string | undefined; readonly email?: string | undefined };

/** What is undefined stays as it is. */
export async function updateCustomerRow(
  tx: Queryable,
  customerId: string,
  change: NameAndAddress,
): Promise<void> {
  await tx.query(
    `update customer set name = coalesce($2, name), email = coalesce($3, email), updated_at = now() where id = $1`,
    [customerId, change.name ?? null, change.email ?? null],
  );
}

export async function updateOwnerRow(
  tx: Queryable,
  customerId: string,
  change: NameAndAddress,
): Promise<void> {
  await tx.query(
    `update owner set name = coalesce($2, name), email = coalesce($3, email), updated_at = now()
     where customer_id = $1`,
    [customerId, change.name ?? null, change.email ?? null],
  );
}

export async function deactivateCustomerRow(tx: Queryable, customerId: string): Promise<void> {
  await tx.query(
    `update customer set status = 'inactive', deactivated_at = now(), updated_at = now()
     where id = $1 and status <> 'inactive'`,
    [customerId],
  );
}

export async function reactivateCustomerRow(tx: Queryable, customerId: string): Promise<void> {
  await tx.query(
    `update customer
     set status = case when activated_at is null then 'invited' else 'active' end,
         deactivated_at = null, updated_at = now()
     where id = $1 and status = 'inactive'`,
    [customerId],
  );
}

/** Its owner, tokens and invitations go with it. */
export async function deleteCustomerRow(tx: Queryable, customerId: string): Promise<void> {
  await tx.query('delete from customer where id = $1', [customerId]);
}

/** The emails about a customer that are not finished. */
export async function findUnfinishedEmails(tx: Queryable, customerId: string): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from email where customer_id = $1 and status <> all ($2::mail_status[]) order by id',
    [customerId, finalStatuses],
  );
  return rows.map(({ id }) => id);
}
