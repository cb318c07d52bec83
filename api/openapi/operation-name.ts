// The operationId, after which generators name what they write: `emails.send`, so that a client reads `client.emails.send`.
// It follows from the path and from the name that the operation has here (`sendEmail`), so that nobody has to invent it.
import type { Operation } from '../operation.ts';

/** Where the rule would give two operations one name, or one that nobody would look for. */
const exceptions: Readonly<Record<string, string>> = {
  sendEmails: 'emails.sendBatch',
  processScheduledEmails: 'scheduledEmails.process',
};

/** Steps of a path that say who asks, not what is asked about. */
const passed = /^(?:api|v1|admin|onboarding|client|\{.*\})$/;

export function operationName({ id, path }: Pick<Operation, 'id' | 'path'>): string {
  const known = exceptions[id];
  if (known !== undefined) return known;
  const words = (path.split('/').find((step) => step !== '' && !passed.test(step)) ?? '').split('-');
  const noun = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  // The thing in the name is said by the group already: `cancelScheduledEmail` is scheduledEmails.cancel.
  const action = id.replace(new RegExp(`${singular(noun)}(?:s|es)?(?=[A-Z]|$)`), '');
  return `${noun.charAt(0).toLowerCase()}${noun.slice(1)}.${action}`;
}

const singular = (noun: string) => noun.replace(/s$/, '');
