// The operations on customers and their invitations, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { acceptInvitation } from './accept-invitation.ts';
import { createCustomer } from './create-customer.ts';
import { deactivateCustomer } from './deactivate-customer.ts';
import { deleteCustomer } from './delete-customer.ts';
import { getCustomer } from './get-customer.ts';
import { listCustomers } from './list-customers.ts';
import { reactivateCustomer } from './reactivate-customer.ts';
import { sendInvitationAgain } from './send-invitation-again.ts';
import { updateCustomer } from './update-customer.ts';

export const customerOperations = (given: {
  database: Database;
  sending: Sending;
  publicUrl: string;
}): Operation[] => [
  createCustomer(given),
  listCustomers(given),
  getCustomer(given),
  updateCustomer(),
  deactivateCustomer(),
  reactivateCustomer(),
  deleteCustomer(),
  sendInvitationAgain(given),
  acceptInvitation(),
];
