// Customers and their owners as the API shows them.
import { z } from 'zod';
import { statuses } from '../../relay/client/vocabulary.ts';
import { address, id, instant, line } from '../fields.ts';

export const customerStatuses = ['invited', 'active', 'inactive'] as const;

const ownerDraft = z.strictObject({ name: line(200), email: address });

export const customerDraft = z
  .strictObject({
    name: line(200).meta({ examples: ['Example Bakery'] }),
    email: address,
    owner: ownerDraft.optional().meta({ description: 'Who signs in first; by default the customer itself.' }),
    sendInvitation: z
      .boolean()
      .default(false)
      .meta({ description: 'Whether to invite the owner by mail right away.' }),
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
      .meta({ description: "The mail's status; null when its row was removed after RETENTION_ROWS." }),
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

export type CustomerView = z.output<typeof customerView>;
export type OwnerView = z.output<typeof ownerView>;
export type InvitationView = z.output<typeof invitationView>;

/** A customer beside its owner and latest invitation, as the queries select them. */
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

export const customerColumns = `
  c.id, c.name, c.email, c.status, c.created_at, c.updated_at, c.activated_at, c.deactivated_at,
  o.id as owner_id, o.name as owner_name, o.email as owner_email, o.activated_at as owner_activated_at`;

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
