// DELETE /api/customers/{id}: a customer, its owner and its tokens.
import { changes, type Operation } from '../operation.ts';
import { customerPath } from './customer.ts';
import { findCustomer } from './store.ts';
import { withdrawAndDeleteCustomer } from './withdraw.ts';

export function deleteCustomer(): Operation {
  return changes({
    id: 'deleteCustomer',
    method: 'delete',
    path: '/api/customers/{id}',
    tag: 'Customers',
    summary: 'Delete a customer, its owner and its tokens',
    description:
      'Cancels its emails that were not sent yet. Sent emails stay listed until their retention ends.',
    scope: 'admin',
    params: customerPath,
    answers: { 204: { description: 'Deleted.' } },
    async handle({ path }, tx) {
      await findCustomer(tx, path.id, { lock: true });
      await withdrawAndDeleteCustomer(tx, path.id);
      return { status: 204 };
    },
  });
}
