// POST /api/customers: a customer with its owner, and the invitation of the owner.
import { type Answer, changesTogether, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { addCustomers, type Created } from './creation.ts';
import { customerAnswer, customerDraft, customerExists, toCustomerView, toOwnerView } from './customer.ts';
import { viewNewInvitation } from './invitation.ts';

const exampleDraft = {
  name: 'Example Bakery',
  email: 'office@bakery.example.com',
  owner: { name: 'Ann Example', email: 'ann@bakery.example.com' },
  sendInvitation: true,
};

export function createCustomer({ sending, publicUrl }: { sending: Sending; publicUrl: string }): Operation {
  return changesTogether({
    id: 'createCustomer',
    method: 'post',
    path: '/api/customers',
    tag: 'Customers',
    summary: 'Create a customer with its owner, and invite the owner',
    description:
      'Customer, owner, invitation and its email are committed together. The answer is 201 whatever the status ' +
      'of the email, which `invitation.status` shows: an email that cannot be sent now is kept and sent later.',
    scope: 'admin',
    body: customerDraft,
    bodyExample: exampleDraft,
    answers: { 201: { description: 'Created.', schema: customerAnswer } },
    problems: ['customer-exists'],
    async handleMany(calls, tx) {
      const from = await sending.sender(tx);
      const created = await addCustomers(
        tx,
        calls.map(({ body: { name, email, owner, sendInvitation }, principal, traceparent }) => ({
          name,
          email,
          owner: owner ?? { name, email },
          invite: sendInvitation ? { from, publicUrl, apiKeyId: principal.apiKeyId, traceparent } : undefined,
        })),
      );
      return created.map((each, index) =>
        each.outcome === 'created'
          ? answerCreated(each, sending)
          : customerExists(calls[index]?.body.email ?? '', each.customerId),
      );
    },
  });
}

/** The answer of whoever created a customer: its mail is handed over once everything is committed. */
export function answerCreated(created: Created & { outcome: 'created' }, sending: Sending): Answer {
  const { row, invitation } = created;
  const people = { customer: toCustomerView(row), owner: toOwnerView(row) };
  if (!invitation) return { status: 201, body: { ...people, invitation: null } };
  return {
    status: 201,
    body: { ...people, invitation: viewNewInvitation(invitation) },
    headers: { location: `/api/customers/${row.id}` },
    afterCommit: async () => {
      const status = await sending.handOver(invitation.email);
      return { ...people, invitation: viewNewInvitation(invitation, status) };
    },
  };
}
