// Creating a customer: customer, owner, invitation and its mail in the caller's transaction, in two statements.
import { type Queryable, uuidv7 } from '../../deploy/database.ts';
import type { Address, InsertedEmail } from '../../relay/client/email.ts';
import type { Template } from '../templates/render.ts';
import type { CustomerRow } from './customer.ts';
import { insertInvitationMail, invitationLastsDays, newToken } from './invitation.ts';

export type NewCustomer = {
  readonly name: string;
  readonly email: string;
  readonly owner: { readonly name: string; readonly email: string };
};

export type Invite = {
  readonly from: Address | undefined;
  readonly publicUrl: string;
  readonly apiKeyId: string | undefined;
};

export type Created =
  | { readonly outcome: 'created'; readonly row: CustomerRow; readonly invitation: NewInvitation | undefined }
  | { readonly outcome: 'exists'; readonly customerId: string | undefined };

export type NewInvitation = { readonly email: InsertedEmail; readonly expiresAt: Date };

/**
 * Creates the customer unless its address is taken. With `invite`, the owner's invitation goes along; its
 * mail is handed over by the caller after the commit.
 */
export async function createCustomer(
  tx: Queryable,
  customer: NewCustomer,
  invite: Invite | undefined,
): Promise<Created> {
  const customerId = uuidv7();
  const ownerId = uuidv7();
  const token = invite && newToken();
  const emailId = invite && uuidv7();
  const { rows } = await tx.query<{
    created_at: Date;
    expires_at: Date | null;
    template: Template | null;
  }>({
    name: 'create-customer',
    text: `
      with fresh as (
        insert into customer (id, name, email) values ($1, $2, $3)
        on conflict ((lower(email))) do nothing
        returning id, created_at
      ), owned as (
        insert into owner (id, customer_id, name, email) select $4, id, $5, $6 from fresh
      ), invited as (
        insert into invitation (id, owner_id, token_hash, email_id, expires_at)
        select $7, $4, $8, $9, now() + make_interval(days => $10) from fresh where $7::uuid is not null
        returning expires_at
      )
      select fresh.created_at, (select expires_at from invited),
        (select json_build_object('subject', t.subject, 'text', t.text, 'html', t.html)
         from template t where t.kind = 'invitation' and $7::uuid is not null) as template
      from fresh`,
    values: [
      customerId,
      customer.name,
      customer.email,
      ownerId,
      customer.owner.name,
      customer.owner.email,
      invite ? uuidv7() : null,
      token?.hash ?? null,
      emailId ?? null,
      invitationLastsDays,
    ],
  });
  const fresh = rows[0];
  if (!fresh) return { outcome: 'exists', customerId: await findByAddress(tx, customer.email) };

  const row: CustomerRow = {
    id: customerId,
    name: customer.name,
    email: customer.email,
    status: 'invited',
    created_at: fresh.created_at,
    updated_at: fresh.created_at,
    activated_at: null,
    deactivated_at: null,
    owner_id: ownerId,
    owner_name: customer.owner.name,
    owner_email: customer.owner.email,
    owner_activated_at: null,
  };
  if (!invite || !token || !emailId || !fresh.expires_at)
    return { outcome: 'created', row, invitation: undefined };

  const email = await insertInvitationMail(tx, {
    emailId,
    token: token.text,
    expiresAt: fresh.expires_at,
    customer: { id: customerId, name: customer.name },
    owner: customer.owner,
    template: fresh.template ?? undefined,
    ...invite,
  });
  return { outcome: 'created', row, invitation: { email, expiresAt: fresh.expires_at } };
}

async function findByAddress(tx: Queryable, address: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>('select id from customer where lower(email) = lower($1)', [
    address,
  ]);
  return rows[0]?.id;
}
