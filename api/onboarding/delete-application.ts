// DELETE /api/admin/onboarding/applications/{id}: an application, with its unused customer account if wanted.
import { z } from 'zod';
import { findCustomer } from '../customers/store.ts';
import { withdrawAndDeleteCustomer } from '../customers/withdraw.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { applicationPath, oneApplication, type WayOut } from './application.ts';
import { type ApplicationRow, deleteApplicationRow, findApplication } from './store.ts';

export function deleteApplication(): Operation {
  return changes({
    id: 'deleteApplication',
    method: 'delete',
    path: oneApplication,
    tag: 'Onboarding',
    summary: 'Delete an application',
    description:
      'An application that has a customer account is refused; `ways_out` lists what is possible: archive it, or delete both with ' +
      '`?with_customer=true` as long as nobody has used the account.',
    scope: 'admin',
    params: applicationPath,
    query: z.strictObject({
      with_customer: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: 'Also delete the customer account that was never activated.' }),
    }),
    answers: { 204: { description: 'Deleted.' } },
    problems: ['customer-account-exists'],
    async handle({ path, query }, tx) {
      const row = await findApplication(tx, path.id, { lock: true });
      if (row.customer_id) {
        const customer = await findCustomer(tx, row.customer_id, { lock: true });
        const isUnused = customer.activated_at === null;
        if (query.with_customer !== 'true' || !isUnused) {
          throw accountExists(row, { id: customer.id, email: customer.email, isUnused });
        }
        await withdrawAndDeleteCustomer(tx, customer.id);
      }
      await deleteApplicationRow(tx, row.id);
      return { status: 204 };
    },
  });
}

function accountExists(
  row: ApplicationRow,
  customer: { id: string; email: string; isUnused: boolean },
): Problem {
  const href = `/api/admin/onboarding/applications/${row.id}`;
  const waysOut: WayOut[] = [
    {
      method: 'POST',
      href: `${href}/archive`,
      description: 'Archive the application and keep the account.',
    },
    customer.isUnused
      ? {
          method: 'DELETE',
          href: `${href}?with_customer=true`,
          description: 'Delete the application together with the account, which nobody has used.',
        }
      : {
          method: 'DELETE',
          href: `/api/customers/${customer.id}`,
          description: 'The account is in use. Delete it first, then delete the application.',
        },
  ];
  return new Problem(
    'customer-account-exists',
    `The application of ${row.company} has a customer account (${customer.email}), so it cannot be deleted alone.`,
    { members: { customer_id: customer.id, customer_email: customer.email, ways_out: waysOut } },
  );
}
