// POST /api/customers/{id}/deactivate: its invitation ends, and what has not left is withdrawn.
import { changes, type Operation } from '../operation.ts';
import { customerAnswer, customerPath, describeCustomer } from './customer.ts';
import { deactivateCustomerRow, findCustomer } from './store.ts';
import { revokeInvitation, withdrawEmails } from './withdraw.ts';

export function deactivateCustomer(): Operation {
  return changes({
    id: 'deactivateCustomer',
    method: 'post',
    path: '/api/customers/{id}/deactivate',
    tag: 'Customers',
    summary: 'Deactivate a customer',
    description:
      'Ends its invitation and cancels its emails that were not sent yet. Doing it twice changes nothing.',
    scope: 'admin',
    params: customerPath,
    answers: { 200: { description: 'The customer as it is now.', schema: customerAnswer } },
    async handle({ path }, tx) {
      const { owner_id } = await findCustomer(tx, path.id, { lock: true });
      await deactivateCustomerRow(tx, path.id);
      await revokeInvitation(tx, owner_id);
      await withdrawEmails(tx, path.id, 'customer deactivated');
      return { status: 200, body: await describeCustomer(tx, await findCustomer(tx, path.id)) };
    },
  });
}
