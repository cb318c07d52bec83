// POST /api/v1/scheduled-emails/{id}/send-now: due now instead of later.
import type { Database } from '../../deploy/database.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import type { EmailChanges } from '../../relay/client/outbox/edit.ts';
import { emailListItem, toListItem } from '../emails/email.ts';
import { readOwn } from '../emails/owner.ts';
import { emailPath } from '../emails/state.ts';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { editScheduled } from './edit.ts';
import { onlyScheduled } from './scheduled-email.ts';

export function sendScheduledEmailNow({
  database,
  sending,
}: {
  database: Database;
  sending: Sending;
}): Operation {
  return changes({
    id: 'sendScheduledEmailNow',
    method: 'post',
    path: '/api/v1/scheduled-emails/{id}/send-now',
    tag: 'Scheduling',
    summary: 'Send a scheduled email now',
    scope: 'send',
    knowsRevisions: true,
    params: emailPath,
    answers: { 200: { description: 'It is due now.', schema: emailListItem } },
    problems: ['email-state', 'precondition-failed'],
    async handle({ path, principal, ifMatch }, tx) {
      onlyScheduled(await readOwn(tx, path.id, principal));
      const now: EmailChanges = { dueAt: 'now', timeZone: null, localTime: null, paused: false };
      const answer = await editScheduled(tx, path.id, { principal, ifMatch, changes: now });
      return {
        ...answer,
        afterCommit: async () => {
          await sending.handOver(path.id);
          return readEmail(database, path.id).then(
            (email) => email && toListItem(email),
            () => undefined,
          );
        },
      };
    },
  });
}
