// Creating customers: customer, owner, invitation and its mail in the caller's transaction. Three statements, however
// many customers share the transaction.
import type { Queryable } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import type { InsertedEmail } from '../../relay/client/email/insert.ts';
import {
  type Invitation,
  type Invite,
  insertInvitations,
  invitationLastsDays,
  type NewInvitation,
  newToken,
} from './invitation.ts';
import { type CustomerRow, type FreshCustomer, findIdsByAddress, insertCustomers } from './store.ts';

export type NewCustomer = {
  readonly name: string;
  readonly email: string;
  readonly owner: { readonly name: string; readonly email: string };
  /** Undefined when nobody is to be invited yet. */
  readonly invite: Invite | undefined;
};

export type Created =
  | { readonly outcome: 'created'; readonly row: CustomerRow; readonly invitation: NewInvitation | undefined }
  | { readonly outcome: 'exists'; readonly customerId: string | undefined };

/** Creates one customer unless its address is taken. The invitation's mail is handed over after the commit. */
export async function addCustomer(tx: Queryable, customer: NewCustomer): Promise<Created> {
  const [created] = await addCustomers(tx, [customer]);
  if (!created) throw new Error('The insert of a customer returned no row');
  return created;
}

type Planned = NewCustomer & { readonly customerId: string; readonly ownerId: string };

/** The same for many; the answers are in their order. Of two with one address the first in the alphabet of ids wins. */
export async function addCustomers(
  tx: Queryable,
  customers: readonly NewCustomer[],
): Promise<readonly Created[]> {
  const planned = customers.map(
    (customer): Planned => ({ ...customer, customerId: uuidv7(), ownerId: uuidv7() }),
  );
  const rows = await insertCustomers(tx, planned, invitationLastsDays);
  const fresh = new Map(rows.map((row) => [row.id, row]));
  const emails = await inviteAll(tx, planned, fresh);
  const taken = planned.filter(({ customerId }) => !fresh.has(customerId));
  const holders = await findIdsByAddress(
    tx,
    taken.map(({ email }) => email),
  );

  return planned.map((customer): Created => {
    const row = fresh.get(customer.customerId);
    if (!row) return { outcome: 'exists', customerId: holders.get(customer.email) };
    const email = emails.get(customer.customerId);
    return {
      outcome: 'created',
      row: toCustomerRow(customer, row),
      invitation: email && { email, expiresAt: row.expires_at },
    };
  });
}

/** Invites the owners of those that were created and are to be invited; their mails by customer. */
async function inviteAll(
  tx: Queryable,
  planned: readonly Planned[],
  fresh: ReadonlyMap<string, FreshCustomer>,
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

const toCustomerRow = (
  { customerId, ownerId, name, email, owner }: Planned,
  row: FreshCustomer,
): CustomerRow => ({
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
