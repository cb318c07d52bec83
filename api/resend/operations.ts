// What the `resend` client finds under RESEND_BASE_URL=…/resend. These operations are no part of the API's own
// description: their contract is the client's.
import { openAddressPolicy } from '../../deploy/public-address.ts';
import type { Operation } from '../operation.ts';
import { clientEmails } from './emails.ts';

/**
 * @param operations those of the API, which do the work
 * @param webhookAllowPrivate CIDRs of WEBHOOK_ALLOW_PRIVATE, where attachments may be fetched from too
 */
export function resendOperations(
  operations: readonly Operation[],
  { webhookAllowPrivate = [] }: { webhookAllowPrivate?: readonly string[] | undefined } = {},
): Operation[] {
  const engine = (id: string): Operation => {
    const found = operations.find((each) => each.id === id);
    if (!found) throw new Error(`The API has no operation ${id}`);
    return found;
  };
  return [...clientEmails(engine, openAddressPolicy(webhookAllowPrivate))];
}
