// What the operations on scheduled emails share: they see no other kind, and list them by the time they are due.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import type { Email } from '../../relay/client/email/email.ts';
import { type EmailFilter, listByDueTime } from '../../relay/client/email/list.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import type { Principal } from '../authenticate.ts';
import { toEmailPage } from '../emails/email.ts';
import { listedFor, noSuchEmail } from '../emails/owner.ts';
import { listOf, pageQuery, time } from '../fields.ts';
import type { Answer } from '../operation.ts';

export const scheduledEmailQuery = z.strictObject({
  ...pageQuery,
  status: listOf(statuses).optional().meta({ description: 'One status, or several with commas.' }),
  due_from: time.optional(),
  due_before: time.optional(),
});

/** A page of scheduled emails; of one client when it is given. */
export async function findScheduled(
  database: Database,
  query: z.output<typeof scheduledEmailQuery>,
  principal: Principal,
  clientId?: string,
): Promise<Answer> {
  const filter: EmailFilter = {
    apiKeyId: listedFor(principal),
    kinds: ['scheduled'],
    statuses: query.status,
    clientId,
    dueFrom: query.due_from,
    dueBefore: query.due_before,
  };
  return { status: 200, body: toEmailPage(await listByDueTime(database, filter, query)) };
}

/** The email, if it is a scheduled one: the others are not found here. */
export function onlyScheduled(email: Email): Email {
  if (email.kind !== 'scheduled') throw noSuchEmail(email.id);
  return email;
}
