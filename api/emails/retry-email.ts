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
    summary: 'Try an email again now',
    description:
      'For emails that are held, deferred, expired or bounced. Recipients that were served are never served again; ' +
      'for an uncertain email use `resolve`.',
    scope: 'send',
    params: emailPath,
    answers: declareState('It is queued again.'),
    problems: ['email-state'],
    async handle({ path, principal }, tx) {
      await readOwn(tx, path.id, principal);
      const result = await retryEmailWithin(tx, path.id, actorOf(principal));
      if (result.outcome === 'unknown') throw noSuchEmail(path.id);
      if (result.outcome === 'not-retryable')
        throw wrongEmailState(result.status, 'Nothing can be tried again.');
      return { status: 200, body: { id: path.id, status: result.status } };
    },
  });
}
