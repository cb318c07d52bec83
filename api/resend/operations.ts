// What the `resend` client finds under RESEND_BASE_URL=…/resend. These operations are no part of the API's own
// description: their contract is the client's.
import type { Operation } from '../operation.ts';
import { clientEmails } from './emails.ts';

/** @param operations those of the API, which do the work */
export function resendOperations(operations: readonly Operation[]): Operation[] {
  const engine = (id: string): Operation => {
    const found = operations.find((each) => each.id === id);
    if (!found) throw new Error(`The API has no operation ${id}`);
    return found;
  };
  return [...clientEmails(engine)];
}
