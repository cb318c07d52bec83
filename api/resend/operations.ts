// What the `resend` client finds under RESEND_BASE_URL=…/resend. These operations are no part of the API's own
// description: their contract is the client's.
import type { Database } from '../../deploy/database.ts';
import { openAddressPolicy } from '../../deploy/public-address.ts';
import type { Operation } from '../operation.ts';
import { clientDomains } from './domains.ts';
import { clientEmails } from './emails.ts';
import { clientKeys } from './keys.ts';
import { clientSuppressions } from './suppressions.ts';
import { clientWebhooks } from './webhooks.ts';

/**
 * @param operations those of the API, which do the work
 * @param webhookAllowPrivate CIDRs of WEBHOOK_ALLOW_PRIVATE, where attachments may be fetched from too
 */
export function resendOperations(
  operations: readonly Operation[],
  {
    database,
    webhookAllowPrivate = [],
  }: { database: Database; webhookAllowPrivate?: readonly string[] | undefined },
): Operation[] {
  const engine = (id: string): Operation => {
    const found = operations.find((each) => each.id === id);
    if (!found) throw new Error(`The API has no operation ${id}`);
    return found;
  };
  return [
    ...clientEmails(engine, openAddressPolicy(webhookAllowPrivate)),
    ...clientSuppressions(engine, database),
    ...clientWebhooks(engine),
    ...clientKeys(engine),
    ...clientDomains(engine),
  ];
}
