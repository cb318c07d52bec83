// POST /api/customers/{id}/reactivate: a deactivation is taken back.
import { changes, type Operation } from '../operation.ts';
import { customerAnswer, customerPath, describeCustomer } from './customer.ts';
import { findCustomer, reactivateCustomerRow } from './store.ts';

export function reactivateCustomer(): Operation {
  return changes({
    id: 'reactivateCustomer',
    method: 'post',
    path: '/api/customers/{id}/reactivate',
    tag: 'Customers',
    summary: 'Reactivate a customer',
    description:
      'A customer that never accepted its invitation is invited again by sending the invitation again.',
    scope: 'admin',
    params: customerPath,
    answers: { 200: { description: 'The customer as it is now.', schema: customerAnswer } },
    async handle({ path }, tx) {
      await findCustomer(tx, path.id, { lock: true });
      await reactivateCustomerRow(tx, path.id);
      return { status: 200, body: await describeCustomer(tx, await findCustomer(tx, path.id)) };
    },
  });
}
