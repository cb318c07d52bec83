// Changing a scheduled email: only while it has not left, and only the revision that the caller has read.
import type { Queryable } from '../../deploy/database.ts';
import type { Email } from '../../relay/client/email/email.ts';
import { type EmailChanges, editEmail } from '../../relay/client/outbox/edit.ts';
import { actorOf, type Principal } from '../authenticate.ts';
import { toListItem } from '../emails/email.ts';
import { noSuchEmail } from '../emails/owner.ts';
import { wrongEmailState } from '../emails/state.ts';
import type { Answer } from '../operation.ts';
import { Problem } from '../problem.ts';

/** Changes one that has not left. Throws `email-state` or `precondition-failed`. */
export async function editScheduled(
  tx: Queryable,
  emailId: string,
  given: { principal: Principal; ifMatch: string | undefined; changes: EmailChanges },
): Promise<Answer> {
  const result = await editEmail(tx, emailId, given.changes, {
    actor: actorOf(given.principal),
    revision: readRevision(given.ifMatch),
  });
  switch (result.outcome) {
    case 'unknown':
      throw noSuchEmail(emailId);
    case 'locked':
      throw wrongEmailState(result.email.status, 'It was sent or is being sent, so it cannot be changed.');
    case 'changed-meanwhile':
      throw new Problem('precondition-failed', 'The email was changed after you read it.', {
        headers: { etag: etagOf(result.email) },
      });
    case 'updated':
      return { status: 200, body: toListItem(result.email), headers: { etag: etagOf(result.email) } };
  }
}

export const etagOf = ({ revision }: Pick<Email, 'revision'>) => `"${revision}"`;

/** RFC 9110 section 13.1.1; `*` matches whatever is there, and what we never said matches nothing. */
function readRevision(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const revision = /^\s*"(\d{1,9})"\s*$/.exec(ifMatch)?.[1];
  return revision === undefined ? -1 : Number(revision);
}
