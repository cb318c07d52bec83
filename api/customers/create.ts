// Creating customers: customer, owner, invitation and its mail in the caller's transaction. Three statements, however
// many customers share the transaction.
import { type Queryable, uuidv7 } from '../../deploy/database.ts';
import type { Address, InsertedEmail } from '../../relay/client/email/email.ts';
import type { Template } from '../templates/render.ts';
import type { CustomerRow } from './customer.ts';
import { type Invitation, insertInvitations, invitationLastsDays, newToken } from './invitation.ts';

export type NewCustomer = {
  readonly name: string;
  readonly email: string;
  readonly owner: { readonly name: string; readonly email: string };
  /** Undefined when nobody is to be invited yet. */
  readonly invite: Invite | undefined;
};

export type Invite = {
  readonly from: Address | undefined;
  readonly publicUrl: string;
  readonly apiKeyId: string | undefined;
  readonly traceparent: string;
};

export type Created =
  | { readonly outcome: 'created'; readonly row: CustomerRow; readonly invitation: NewInvitation | undefined }
  | { readonly outcome: 'exists'; readonly customerId: string | undefined };

export type NewInvitation = { readonly email: InsertedEmail; readonly expiresAt: Date };

/** Creates one customer unless its address is taken. The invitation's mail is handed over after the commit. */
export async function createCustomer(tx: Queryable, customer: NewCustomer): Promise<Created> {
  const [created] = await createCustomers(tx, [customer]);
  if (!created) throw new Error('The insert of a customer was not answered');
  return created;
}

type Planned = NewCustomer & { readonly customerId: string; readonly ownerId: string };

type Fresh = { id: string; created_at: Date; expires_at: Date; template: Template | null };

/** The same for many; the answers are in their order. Of two with one address the first in the alphabet of ids wins. */
export async function createCustomers(
  tx: Queryable,
  customers: readonly NewCustomer[],
): Promise<readonly Created[]> {
  const planned = customers.map(
    (customer): Planned => ({ ...customer, customerId: uuidv7(), ownerId: uuidv7() }),
  );
  const { rows } = await tx.query<Fresh>({
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
  const fresh = new Map(rows.map((row) => [row.id, row]));
  const emails = await inviteAll(tx, planned, fresh);
  const taken = planned.filter(({ customerId }) => !fresh.has(customerId));
  const owners = await findByAddress(
    tx,
    taken.map(({ email }) => email),
  );

  return planned.map((customer): Created => {
    const row = fresh.get(customer.customerId);
    if (!row) return { outcome: 'exists', customerId: owners.get(customer.email) };
    const email = emails.get(customer.customerId);
    return {
      outcome: 'created',
      row: toCustomerRow(customer, row),
      invitation: email && { email, expiresAt: row.expires_at },
    };
  });
}

const toRow = ({ customerId, name, email, ownerId, owner }: Planned) => ({
  customer_id: customerId,
  name,
  email,
  owner_id: ownerId,
  owner_name: owner.name,
  owner_email: owner.email,
});

/** Invites the owners of those that were created and are to be invited; their mails by customer. */
async function inviteAll(
  tx: Queryable,
  planned: readonly Planned[],
  fresh: ReadonlyMap<string, Fresh>,
): Promise<Map<string, InsertedEmail>> {
  const invited = planned.flatMap(({ customerId, ownerId, invite, name, owner }) => {
    const row = fresh.get(customerId);
    if (!row || !invite) return [];
    const invitation: Invitation = {
      token: newToken(),
      expiresAt: row.expires_at,
      customer: { id: customerId, name },
      owner: { ...owner, id: ownerId },
      template: row.template ?? undefined,
      ...invite,
    };
    return [invitation];
  });
  const emails = await insertInvitations(tx, invited);
  return new Map(invited.map(({ customer }, index) => [customer.id, emails[index] as InsertedEmail]));
}

const toCustomerRow = ({ customerId, ownerId, name, email, owner }: Planned, row: Fresh): CustomerRow => ({
  id: customerId,
  name,
  email,
  status: 'invited',
  created_at: row.created_at,
  updated_at: row.created_at,
  activated_at: null,
  deactivated_at: null,
  owner_id: ownerId,
  owner_name: owner.name,
  owner_email: owner.email,
  owner_activated_at: null,
});

/** Who has these addresses, by address as it was asked for. */
async function findByAddress(tx: Queryable, addresses: readonly string[]): Promise<Map<string, string>> {
  if (addresses.length === 0) return new Map();
  const { rows } = await tx.query<{ address: string; id: string }>(
    `select address, c.id from unnest($1::text[]) as address join customer c on lower(c.email) = lower(address)`,
    [addresses],
  );
  return new Map(rows.map(({ address, id }) => [address, id]));
}
