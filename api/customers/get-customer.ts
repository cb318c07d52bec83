// GET /api/customers/{id}: one customer, its owner and the latest invitation.
import type { Database } from '../../deploy/database.ts';
import { permitAll } from '../authenticate.ts';
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
    description:
      'For keys with the scope `send` and neither `read` nor `admin` it is 403: customers belong to no key.',
    scope: 'read',
    params: customerPath,
    answers: { 200: { description: 'The customer.', schema: customerAnswer } },
    async handle({ path, principal }) {
      permitAll(principal);
      return { status: 200, body: await describeCustomer(database, await findCustomer(database, path.id)) };
    },
  });
}
