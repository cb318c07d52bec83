// GET /api/customers: customers by status and words, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { permitAll } from '../authenticate.ts';
import { line, pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import {
  customerShape,
  invitationView,
  ownerView,
  toCustomerView,
  toInvitationView,
  toOwnerView,
} from './customer.ts';
import { readLatestInvitations } from './invitation-store.ts';
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
        schema: pageOf(
          z.strictObject({
            ...customerShape,
            owner: ownerView,
            invitation: invitationView.nullable().meta({ description: 'The latest of its owner.' }),
          }),
        ),
      },
    },
    async handle({ query, principal }) {
      permitAll(principal);
      const rows = await findCustomers(database, { status: query.status, text: query.q }, query);
      const invitations = await readLatestInvitations(
        database,
        rows.map(({ owner_id }) => owner_id),
      );
      const items = rows.map((row) => {
        const invitation = invitations.get(row.owner_id);
        return {
          ...toCustomerView(row),
          owner: toOwnerView(row),
          invitation: invitation ? toInvitationView(invitation) : null,
        };
      });
      return { status: 200, body: toPage(items, query.limit) };
    },
  });
}
