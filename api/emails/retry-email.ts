// POST /api/v1/emails/{id}/retry: an email that waits or failed is tried again now.
import { retryEmailWithin } from '../../relay/client/outbox/retry.ts';
import { actorOf } from '../authenticate.ts';
import { changes, type Operation } from '../operation.ts';
import { noSuchEmail, readOwn } from './owner.ts';
import { declareState, emailPath, wrongEmailState } from './state.ts';

export function retryEmail(): Operation {
  return changes({
    id: 'retryEmail',
    method: 'post',
    path: '/api/v1/emails/{id}/retry',
    tag: 'Emails',
    summary: 'Try a mail again now',
    description:
      'For mail that is held, deferred, expired or bounced. Recipients that were served are never served again; ' +
      'mail that is uncertain is for `resolve`.',
    scope: 'send',
    params: emailPath,
    answers: declareState('It is on its way again.'),
    problems: ['email-state'],
    async handle({ path, principal }, tx) {
      await readOwn(tx, path.id, principal);
      const result = await retryEmailWithin(tx, path.id, actorOf(principal));
      if (result.outcome === 'unknown') throw noSuchEmail(path.id);
      if (result.outcome === 'not-retryable')
        throw wrongEmailState(result.status, 'There is nothing to try again.');
      return { status: 200, body: { id: path.id, status: result.status } };
    },
  });
}
