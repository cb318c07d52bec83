// PATCH /api/customers/{id}: other names and addresses.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { address, line } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { customerAnswer, customerExists, customerPath, describeCustomer } from './customer.ts';
import { findCustomer, findOtherWithAddress, updateCustomerRow, updateOwnerRow } from './store.ts';

export function updateCustomer(): Operation {
  return changes({
    id: 'updateCustomer',
    method: 'patch',
    path: '/api/customers/{id}',
    tag: 'Customers',
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
      await applyChange(tx, path.id, body);
      return { status: 200, body: await describeCustomer(tx, await findCustomer(tx, path.id)) };
    },
  });
}

type CustomerChange = {
  name?: string | undefined;
  email?: string | undefined;
  owner?: { name?: string | undefined; email?: string | undefined } | undefined;
};

async function applyChange(tx: Queryable, customerId: string, given: CustomerChange): Promise<void> {
  if (given.email !== undefined) {
    const other = await findOtherWithAddress(tx, given.email, customerId);
    if (other !== undefined) throw customerExists(given.email, other);
  }
  try {
    await updateCustomerRow(tx, customerId, given);
  } catch (error) {
    // Somebody else took the address between the look and the update.
    if ((error as { constraint?: unknown }).constraint !== 'one_customer_per_address') throw error;
    throw customerExists(given.email ?? '', undefined);
  }
  if (given.owner) await updateOwnerRow(tx, customerId, given.owner);
}
