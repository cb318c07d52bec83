// POST /api/v1/emails/{id}/cancel: an email that has not left does not leave.
import type { Queryable } from '../../deploy/database.ts';
import { cancelEmailWithin } from '../../relay/client/outbox/cancel.ts';
import { actorOf, type Principal } from '../authenticate.ts';
import { changes, type Operation } from '../operation.ts';
import { noSuchEmail, readOwn } from './owner.ts';
import { declareState, emailPath, wrongEmailState } from './state.ts';

export function cancelEmail(): Operation {
  return changes({
    id: 'cancelEmail',
    method: 'post',
    path: '/api/v1/emails/{id}/cancel',
    tag: 'Emails',
    summary: 'Cancel an email',
    description:
      '200 promises that it will never be sent; cancelling it again is 200 as well. 409 when a ' +
      'recipient is being sent to, has been sent to, or may have been.',
    scope: 'send',
    params: emailPath,
    answers: declareState('Cancelled.'),
    problems: ['email-state'],
    async handle({ path, principal }, tx) {
      return { status: 200, body: await cancelOwnEmail(tx, path.id, principal) };
    },
  });
}

/** Cancels, and tells the state; throws `email-state` when it is too late. */
export async function cancelOwnEmail(tx: Queryable, emailId: string, principal: Principal) {
  await readOwn(tx, emailId, principal);
  const result = await cancelEmailWithin(tx, emailId, actorOf(principal));
  if (result.outcome === 'unknown') throw noSuchEmail(emailId);
  if (result.outcome === 'too-late') {
    throw wrongEmailState(result.status, 'It can no longer be cancelled.');
  }
  return { id: emailId, status: result.status };
}
