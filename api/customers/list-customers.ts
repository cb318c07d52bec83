// GET /api/customers: customers by status and words, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { permitAll } from '../authenticate.ts';
import { line, pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { customerShape, ownerView, toCustomerView, toOwnerView } from './customer.ts';
import { customerStatuses, findCustomers } from './store.ts';

export function listCustomers({ database }: { database: Database }): Operation {
  return reads({
    id: 'listCustomers',
    method: 'get',
    path: '/api/customers',
    tag: 'Customers',
    summary: 'List customers, newest first',
    description:
      'For keys with the scope `send` and neither `read` nor `admin` it is 403: customers belong to no key.',
    scope: 'read',
    query: z.strictObject({
      ...pageQuery,
      status: z.enum(customerStatuses).optional(),
      q: line(200).optional().meta({ description: 'Searches names and addresses.' }),
    }),
    answers: {
      200: {
        description: 'A page of customers.',
        schema: pageOf(z.strictObject({ ...customerShape, owner: ownerView })),
      },
    },
    async handle({ query, principal }) {
      permitAll(principal);
      const rows = await findCustomers(database, { status: query.status, text: query.q }, query);
      const items = rows.map((row) => ({ ...toCustomerView(row), owner: toOwnerView(row) }));
      return { status: 200, body: toPage(items, query.limit) };
    },
  });
}
