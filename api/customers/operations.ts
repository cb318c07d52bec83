// Customers: created, read, changed, invited again, deactivated and deleted.
// What happens to their mail: deactivating and deleting withdraw what has not left yet and end the tokens; mail
// that has left stays in the list until its retention ends, because it did happen.
import { z } from 'zod';
import type { Database, Queryable } from '../../deploy/database.ts';
import type { InsertedEmail } from '../../relay/client/email/email.ts';
import { cancelEmailWithin } from '../../relay/client/outbox/cancel.ts';
import { finalStatuses, type Status } from '../../relay/client/vocabulary.ts';
import { address, id, line, pageOf, pageQuery, toPage } from '../fields.ts';
import { type Answer, changes, changesTogether, type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import type { Template } from '../templates/render.ts';
import { type Created, createCustomers, type Invite, type NewInvitation } from './create.ts';
import {
  customerAnswer,
  customerDraft,
  customerShape,
  customerStatuses,
  customerView,
  invitationView,
  ownerView,
  toCustomerView,
  toOwnerView,
} from './customer.ts';
import { describeCustomer, findCustomer, listCustomers } from './find.ts';
import { hashToken, insertInvitations, invitationLastsDays, newToken } from './invitation.ts';

const customerPath = z.strictObject({ id });

const tag = 'Customers';

const exampleDraft = {
  name: 'Example Bakery',
  email: 'office@bakery.example.com',
  owner: { name: 'Ann Example', email: 'ann@bakery.example.com' },
  sendInvitation: true,
};

export function customerOperations({
  database,
  sending,
  publicUrl,
}: {
  database: Database;
  sending: Sending;
  publicUrl: string;
}): Operation[] {
  return [
    changesTogether({
      id: 'createCustomer',
      method: 'post',
      path: '/api/customers',
      tag,
      summary: 'Create a customer with its owner, and invite the owner',
      description:
        'Customer, owner, invitation and its mail are committed together. The answer is 201 whatever state ' +
        'the mail is in: what cannot leave now is kept and leaves later, and `invitation.status` tells.',
      scope: 'admin',
      body: customerDraft,
      bodyExample: exampleDraft,
      answers: { 201: { description: 'Created.', schema: customerAnswer } },
      problems: ['customer-exists'],
      async handleMany(asked, tx) {
        const from = await sending.sender(tx);
        const created = await createCustomers(
          tx,
          asked.map(({ body: { name, email, owner, sendInvitation }, principal, traceparent }) => ({
            name,
            email,
            owner: owner ?? { name, email },
            invite: sendInvitation
              ? { from, publicUrl, apiKeyId: principal.apiKeyId, traceparent }
              : undefined,
          })),
        );
        return created.map((each, index) =>
          each.outcome === 'created'
            ? answerCreated(each, sending)
            : customerExists(asked[index]?.body.email ?? '', each.customerId),
        );
      },
    }),

    reads({
      id: 'listCustomers',
      method: 'get',
      path: '/api/customers',
      tag,
      summary: 'List customers, newest first',
      scope: 'read',
      query: z.strictObject({
        ...pageQuery,
        status: z.enum(customerStatuses).optional(),
        q: line(200).optional().meta({ description: 'Looked for in names and addresses.' }),
      }),
      answers: {
        200: {
          description: 'A page of customers.',
          schema: pageOf(z.strictObject({ ...customerShape, owner: ownerView })),
        },
      },
      async handle({ query }) {
        const rows = await listCustomers(database, { status: query.status, text: query.q }, query);
        const items = rows.map((row) => ({ ...toCustomerView(row), owner: toOwnerView(row) }));
        return { status: 200, body: toPage(items, query.limit) };
      },
    }),

    reads({
      id: 'getCustomer',
      method: 'get',
      path: '/api/customers/{id}',
      tag,
      summary: 'Read a customer, its owner and the latest invitation',
      scope: 'read',
      params: customerPath,
      answers: { 200: { description: 'The customer.', schema: customerAnswer } },
      async handle({ path }) {
        return { status: 200, body: await describeCustomer(database, await findCustomer(database, path.id)) };
      },
    }),

    changes({
      id: 'updateCustomer',
      method: 'patch',
      path: '/api/customers/{id}',
      tag,
      summary: 'Change names and addresses',
      description: 'An invitation that was sent before keeps working; send it again to reach a new address.',
      scope: 'admin',
      params: customerPath,
      body: z
        .strictObject({
          name: line(200).optional(),
          email: address.optional(),
          owner: z.strictObject({ name: line(200).optional(), email: address.optional() }).optional(),
        })
        .meta({ id: 'CustomerChange' }),
      bodyExample: { owner: { email: 'ann.example@bakery.example.com' } },
      answers: { 200: { description: 'The customer as it is now.', schema: customerAnswer } },
      problems: ['customer-exists'],
      async handle({ path, body }, tx) {
        await findCustomer(tx, path.id, { lock: true });
        await updateCustomer(tx, path.id, body);
        return { status: 200, body: await describeCustomer(tx, await findCustomer(tx, path.id)) };
      },
    }),

    changes({
      id: 'deactivateCustomer',
      method: 'post',
      path: '/api/customers/{id}/deactivate',
      tag,
      summary: 'Deactivate a customer',
      description:
        'Ends its invitation and withdraws its mail that has not left. Doing it twice changes nothing.',
      scope: 'admin',
      params: customerPath,
      answers: { 200: { description: 'The customer as it is now.', schema: customerAnswer } },
      async handle({ path }, tx) {
        const { owner_id } = await findCustomer(tx, path.id, { lock: true });
        await tx.query(
          `update customer set status = 'inactive', deactivated_at = now(), updated_at = now()
           where id = $1 and status <> 'inactive'`,
          [path.id],
        );
        await revokeInvitation(tx, owner_id);
        await withdrawMail(tx, path.id, 'customer deactivated');
        return { status: 200, body: await describeCustomer(tx, await findCustomer(tx, path.id)) };
      },
    }),

    changes({
      id: 'reactivateCustomer',
      method: 'post',
      path: '/api/customers/{id}/reactivate',
      tag,
      summary: 'Take a deactivation back',
      description:
        'A customer that never accepted its invitation is invited again by sending the invitation again.',
      scope: 'admin',
      params: customerPath,
      answers: { 200: { description: 'The customer as it is now.', schema: customerAnswer } },
      async handle({ path }, tx) {
        await findCustomer(tx, path.id, { lock: true });
        await tx.query(
          `update customer
           set status = case when activated_at is null then 'invited' else 'active' end,
               deactivated_at = null, updated_at = now()
           where id = $1 and status = 'inactive'`,
          [path.id],
        );
        return { status: 200, body: await describeCustomer(tx, await findCustomer(tx, path.id)) };
      },
    }),

    changes({
      id: 'deleteCustomer',
      method: 'delete',
      path: '/api/customers/{id}',
      tag,
      summary: 'Delete a customer, its owner and its tokens',
      description:
        'Withdraws its mail that has not left. Mail that has left stays listed until its retention ends.',
      scope: 'admin',
      params: customerPath,
      answers: { 204: { description: 'Deleted.' } },
      async handle({ path }, tx) {
        await findCustomer(tx, path.id, { lock: true });
        await deleteCustomer(tx, path.id);
        return { status: 204 };
      },
    }),

    changes({
      id: 'sendInvitationAgain',
      method: 'post',
      path: '/api/customers/{id}/invitation',
      tag,
      summary: 'Send the invitation again',
      description: 'The token before it stops working, and its mail is withdrawn if it has not left yet.',
      scope: 'admin',
      params: customerPath,
      answers: {
        201: {
          description: 'A new invitation is on its way.',
          schema: z.strictObject({ invitation: invitationView }),
        },
      },
      problems: ['invitation-accepted', 'customer-inactive'],
      async handle({ path, principal, traceparent }, tx) {
        const row = await findCustomer(tx, path.id, { lock: true });
        if (row.status === 'inactive') {
          throw new Problem('customer-inactive', 'Reactivate the customer before inviting it.');
        }
        if (row.owner_activated_at) {
          throw new Problem(
            'invitation-accepted',
            'The owner has accepted the invitation; there is nothing to send.',
            {
              members: { accepted_at: row.owner_activated_at.toISOString() },
            },
          );
        }
        await revokeInvitation(tx, row.owner_id);
        const invitation = await inviteAgain(tx, {
          row,
          from: await sending.sender(tx),
          publicUrl,
          apiKeyId: principal.apiKeyId,
          traceparent,
        });
        const body = (status?: Status) => ({ invitation: viewInvitation(invitation, status) });
        return {
          status: 201,
          body: body(),
          afterCommit: async () => body(await sending.handOver(invitation.email)),
        };
      },
    }),

    changes({
      id: 'acceptInvitation',
      method: 'post',
      path: '/api/invitations/accept',
      tag,
      summary: 'Accept an invitation',
      description:
        'Public: the token is the proof. It works once, by POST only, so that no link preview can use it up.',
      scope: 'public',
      publicPerMinute: 60,
      body: z
        .strictObject({
          token: z
            .string()
            .regex(/^[\w-]{43}$/, 'must be the token of the link, 43 characters')
            .meta({ examples: ['nXq4wYx0d2W1J3m5QbV7cR9tK8uL6pZ0sH-E_fGaTiM'] }),
        })
        .meta({ id: 'InvitationAcceptance' }),
      bodyExample: { token: 'nXq4wYx0d2W1J3m5QbV7cR9tK8uL6pZ0sH-E_fGaTiM' },
      answers: {
        200: {
          description: 'Accepted: the owner and the customer are active.',
          schema: z.strictObject({ customer: customerView, owner: ownerView }),
        },
      },
      problems: ['not-found', 'invitation-accepted', 'invitation-expired', 'invitation-revoked'],
      async handle({ body }, tx) {
        const customerId = await acceptInvitation(tx, body.token);
        const row = await findCustomer(tx, customerId);
        return { status: 200, body: { customer: toCustomerView(row), owner: toOwnerView(row) } };
      },
    }),
  ];
}

function customerExists(email: string, customerId: string | undefined): Problem {
  return new Problem('customer-exists', 'A customer with this address exists already.', {
    errors: [{ in: 'body', pointer: '#/email', detail: 'belongs to another customer', received: email }],
    ...(customerId && { members: { customer_id: customerId } }),
  });
}

/** The answer of whoever created a customer: its mail is handed over once everything is committed. */
export function answerCreated(created: Created & { outcome: 'created' }, sending: Sending): Answer {
  const { row, invitation } = created;
  const people = { customer: toCustomerView(row), owner: toOwnerView(row) };
  if (!invitation) return { status: 201, body: { ...people, invitation: null } };
  return {
    status: 201,
    body: { ...people, invitation: viewInvitation(invitation) },
    headers: { location: `/api/customers/${row.id}` },
    afterCommit: async () => {
      const status = await sending.handOver(invitation.email);
      return { ...people, invitation: viewInvitation(invitation, status) };
    },
  };
}

// Without a From address a mail is born held, otherwise it waits for its hand-over.
const bornAs = ({ claim }: InsertedEmail): Status => (claim ? 'pending' : 'held');

const viewInvitation = ({ email, expiresAt }: NewInvitation, status = bornAs(email)) => ({
  email_id: email.id,
  status,
  expires_at: expiresAt.toISOString(),
  accepted_at: null,
  revoked_at: null,
});

type CustomerChange = {
  name?: string | undefined;
  email?: string | undefined;
  owner?: { name?: string | undefined; email?: string | undefined } | undefined;
};

async function updateCustomer(tx: Queryable, customerId: string, change: CustomerChange): Promise<void> {
  if (change.email !== undefined) {
    const { rows } = await tx.query<{ id: string }>(
      'select id from customer where lower(email) = lower($1) and id <> $2',
      [change.email, customerId],
    );
    if (rows[0]) throw customerExists(change.email, rows[0].id);
  }
  try {
    await tx.query(
      `update customer set name = coalesce($2, name), email = coalesce($3, email), updated_at = now() where id = $1`,
      [customerId, change.name ?? null, change.email ?? null],
    );
  } catch (error) {
    // Somebody else took the address between the look and the update.
    if ((error as { constraint?: unknown }).constraint !== 'one_customer_per_address') throw error;
    throw customerExists(change.email ?? '', undefined);
  }
  if (!change.owner) return;
  await tx.query(
    `update owner set name = coalesce($2, name), email = coalesce($3, email), updated_at = now()
     where customer_id = $1`,
    [customerId, change.owner.name ?? null, change.owner.email ?? null],
  );
}

/** Ends the token that works now and withdraws its mail, unless that has left. */
async function revokeInvitation(tx: Queryable, ownerId: string): Promise<void> {
  const { rows } = await tx.query<{ email_id: string }>(
    `update invitation set revoked_at = now()
     where owner_id = $1 and accepted_at is null and revoked_at is null
     returning email_id`,
    [ownerId],
  );
  for (const { email_id } of rows) await cancelEmailWithin(tx, email_id, 'invitation replaced');
}

/** Withdraws all mail about the customer that has not left; mail that is leaving right now stays. */
async function withdrawMail(tx: Queryable, customerId: string, actor: string): Promise<void> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from email where customer_id = $1 and status <> all ($2::mail_status[]) order by id',
    [customerId, finalStatuses],
  );
  for (const { id } of rows) await cancelEmailWithin(tx, id, actor);
}

/** Deletes a customer that the caller has locked, with its owner and tokens; its waiting mail is withdrawn. */
export async function deleteCustomer(tx: Queryable, customerId: string): Promise<void> {
  await withdrawMail(tx, customerId, 'customer deleted');
  await tx.query('delete from customer where id = $1', [customerId]);
}

async function inviteAgain(
  tx: Queryable,
  {
    row,
    ...invite
  }: {
    row: Awaited<ReturnType<typeof findCustomer>>;
  } & Invite,
): Promise<NewInvitation> {
  const { rows } = await tx.query<{ expires_at: Date; template: Template | null }>(
    `select now() + make_interval(days => $1) as expires_at,
       (select json_build_object('subject', t.subject, 'text', t.text, 'html', t.html)
        from template t where t.kind = 'invitation') as template`,
    [invitationLastsDays],
  );
  const { expires_at: expiresAt, template } = rows[0] as (typeof rows)[number];
  const [email] = await insertInvitations(tx, [
    {
      token: newToken(),
      expiresAt,
      customer: { id: row.id, name: row.name },
      owner: { id: row.owner_id, name: row.owner_name, email: row.owner_email },
      template: template ?? undefined,
      ...invite,
    },
  ]);
  return { email: email as InsertedEmail, expiresAt };
}

/** Uses the token up and activates owner and customer; returns the customer's id. Throws why it cannot. */
async function acceptInvitation(tx: Queryable, token: string): Promise<string> {
  const hash = hashToken(token);
  const { rows } = await tx.query<{ customer_id: string }>(
    `with accepted as (
       update invitation set accepted_at = now()
       where token_hash = $1 and accepted_at is null and revoked_at is null and expires_at > now()
       returning owner_id
     ), activated as (
       update owner o set activated_at = now(), updated_at = now()
       from accepted where o.id = accepted.owner_id
       returning o.customer_id
     )
     update customer c set status = 'active', activated_at = coalesce(c.activated_at, now()), updated_at = now()
     from activated where c.id = activated.customer_id
     returning c.id as customer_id`,
    [hash],
  );
  if (rows[0]) return rows[0].customer_id;

  const { rows: found } = await tx.query<{ accepted_at: Date | null; revoked_at: Date | null }>(
    'select accepted_at, revoked_at from invitation where token_hash = $1',
    [hash],
  );
  const invitation = found[0];
  if (!invitation) throw new Problem('not-found', 'There is no invitation with this token.');
  if (invitation.accepted_at) {
    throw new Problem('invitation-accepted', 'This invitation was accepted before; a link works once.');
  }
  if (invitation.revoked_at) {
    throw new Problem('invitation-revoked', 'This invitation was replaced by a newer one, or withdrawn.');
  }
  throw new Problem('invitation-expired', 'This invitation has expired; ask for a new one.');
}
