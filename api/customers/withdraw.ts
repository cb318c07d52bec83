// What ends with a customer: deactivating and deleting withdraw the emails that have not left yet and end the tokens;
// emails that have left stay in the list until their retention ends, because that did happen.
import type { Queryable } from '../../deploy/database.ts';
import { cancelEmailWithin } from '../../relay/client/outbox/cancel.ts';
import { revokeInvitationRows } from './invitation-store.ts';
import { deleteCustomerRow, findUnfinishedEmails } from './store.ts';

/** Ends the token that works now and withdraws its email, unless that has left. */
export async function revokeInvitation(tx: Queryable, ownerId: string): Promise<void> {
  const emailIds = await revokeInvitationRows(tx, ownerId);
  for (const id of emailIds) await cancelEmailWithin(tx, id, 'invitation replaced');
}

/** Withdraws all emails about the customer that have not left; what is leaving right now stays. */
export async function withdrawEmails(tx: Queryable, customerId: string, actor: string): Promise<void> {
  for (const id of await findUnfinishedEmails(tx, customerId)) await cancelEmailWithin(tx, id, actor);
}

/** Deletes a customer that the caller has locked, with its owner and tokens; its waiting emails are withdrawn. */
export async function withdrawAndDeleteCustomer(tx: Queryable, customerId: string): Promise<void> {
  await withdrawEmails(tx, customerId, 'customer deleted');
  await deleteCustomerRow(tx, customerId);
}
