// POST /api/v1/scheduled-emails/{id}/cancel: a scheduled email that does not leave.
import type { Queryable } from '../../deploy/database.ts';
import type { Principal } from '../authenticate.ts';
import { cancelOwnEmail } from '../emails/cancel-email.ts';
import { readOwn } from '../emails/owner.ts';
import { declareState, emailPath } from '../emails/state.ts';
import { type Answer, type Call, changes, type Operation } from '../operation.ts';
import { onlyScheduled } from './scheduled-email.ts';

export function cancelScheduledEmail(): Operation {
  return changes({
    id: 'cancelScheduledEmail',
    method: 'post',
    path: '/api/v1/scheduled-emails/{id}/cancel',
    tag: 'Scheduling',
    summary: 'Cancel a scheduled email',
    ...cancellation,
  });
}

/** What cancelling and deleting declare: they are the same. */
export const cancellation = {
  description:
    '200 promises that it will never be sent; cancelling it again is 200 as well. 409 with the current ' +
    'status when it is too late.',
  scope: 'send',
  params: emailPath,
  answers: declareState('Cancelled.'),
  problems: ['email-state'],
  handle: ({ path, principal }: Call<{ id: string }>, tx: Queryable) =>
    cancelScheduled(tx, path.id, principal),
} as const;

async function cancelScheduled(tx: Queryable, emailId: string, principal: Principal): Promise<Answer> {
  onlyScheduled(await readOwn(tx, emailId, principal));
  return { status: 200, body: await cancelOwnEmail(tx, emailId, principal) };
}
