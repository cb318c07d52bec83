// GET /api/customers/{id}: one customer, its owner and the latest invitation.
import type { Database } from '../../deploy/database.ts';
import { type Operation, reads } from '../operation.ts';
import { customerAnswer, customerPath, describeCustomer } from './customer.ts';
import { findCustomer } from './store.ts';

export function getCustomer({ database }: { database: Database }): Operation {
  return reads({
    id: 'getCustomer',
    method: 'get',
    path: '/api/customers/{id}',
    tag: 'Customers',
    summary: 'Read a customer, its owner and the latest invitation',
    scope: 'read',
    params: customerPath,
    answers: { 200: { description: 'The customer.', schema: customerAnswer } },
    async handle({ path }) {
      return { status: 200, body: await describeCustomer(database, await findCustomer(database, path.id)) };
    },
  });
}
