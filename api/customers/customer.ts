// Customers and their owners as the API shows them.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import { address, id, instant, line } from '../fields.ts';
import { Problem } from '../problem.ts';
import { type InvitationRow, readLatestInvitation } from './invitation-store.ts';
import { type CustomerRow, customerStatuses } from './store.ts';

export const customerPath = z.strictObject({ id });

const ownerDraft = z.strictObject({ name: line(200), email: address });

export const customerDraft = z
  .strictObject({
    name: line(200).meta({ examples: ['Example Bakery'] }),
    email: address,
    owner: ownerDraft.optional().meta({ description: 'The first user; by default the customer itself.' }),
    sendInvitation: z
      .boolean()
      .default(false)
      .meta({ description: 'Whether to invite the owner by email at once.' }),
  })
  .meta({ id: 'CustomerDraft' });

export const customerShape = {
  id,
  name: z.string(),
  email: z.string(),
  status: z.enum(customerStatuses),
  created_at: instant,
  updated_at: instant,
  activated_at: instant.nullable(),
  deactivated_at: instant.nullable(),
};

export const customerView = z.strictObject(customerShape).meta({ id: 'Customer' });

export const ownerView = z
  .strictObject({ id, name: z.string(), email: z.string(), activated_at: instant.nullable() })
  .meta({ id: 'Owner' });

export const invitationView = z
  .strictObject({
    email_id: id,
    status: z
      .enum(statuses)
      .nullable()
      .meta({ description: 'The status of the email; null when it was removed after RETENTION_ROWS.' }),
    expires_at: instant,
    accepted_at: instant.nullable(),
    revoked_at: instant.nullable(),
  })
  .meta({ id: 'Invitation' });

export const customerAnswer = z.strictObject({
  customer: customerView,
  owner: ownerView,
  invitation: invitationView.nullable(),
});

type CustomerView = z.output<typeof customerView>;
type OwnerView = z.output<typeof ownerView>;
type InvitationView = z.output<typeof invitationView>;

export function toCustomerView(row: CustomerRow): CustomerView {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    status: row.status,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    activated_at: row.activated_at?.toISOString() ?? null,
    deactivated_at: row.deactivated_at?.toISOString() ?? null,
  };
}

export function toOwnerView(row: CustomerRow): OwnerView {
  return {
    id: row.owner_id,
    name: row.owner_name,
    email: row.owner_email,
    activated_at: row.owner_activated_at?.toISOString() ?? null,
  };
}

export const toInvitationView = (row: InvitationRow): InvitationView => ({
  email_id: row.email_id,
  status: row.status,
  expires_at: row.expires_at.toISOString(),
  accepted_at: row.accepted_at?.toISOString() ?? null,
  revoked_at: row.revoked_at?.toISOString() ?? null,
});

/** What most answers about one customer consist of. */
export async function describeCustomer(
  q: Queryable,
  row: CustomerRow,
): Promise<{ customer: CustomerView; owner: OwnerView; invitation: InvitationView | null }> {
  const invitation = await readLatestInvitation(q, row.owner_id);
  return {
    customer: toCustomerView(row),
    owner: toOwnerView(row),
    invitation: invitation ? toInvitationView(invitation) : null,
  };
}

export function customerExists(email: string, customerId: string | undefined): Problem {
  return new Problem('customer-exists', 'A customer with this address exists already.', {
    errors: [{ in: 'body', pointer: '#/email', detail: 'belongs to another customer', received: email }],
    ...(customerId && { members: { customer_id: customerId } }),
  });
}
