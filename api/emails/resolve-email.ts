// POST /api/v1/emails/{id}/resolve: a person says what became of an email that is uncertain.
import { z } from 'zod';
import { resolveEmailWithin } from '../../relay/client/outbox/resolve.ts';
import { actorOf } from '../authenticate.ts';
import { changes, type Operation } from '../operation.ts';
import { noSuchEmail, readOwn } from './owner.ts';
import { declareState, emailPath, wrongEmailState } from './state.ts';

export function resolveEmail(): Operation {
  return changes({
    id: 'resolveEmail',
    method: 'post',
    path: '/api/v1/emails/{id}/resolve',
    tag: 'Emails',
    summary: 'Resolve an uncertain email',
    description:
      'All data was sent and no final reply came, so only the recipient or the provider can know ' +
      '(RFC 1047): it arrived (`sent`), it did not and is sent again (`resend`), or it is no longer wanted (`cancelled`).',
    scope: 'send',
    params: emailPath,
    body: z.strictObject({ outcome: z.enum(['sent', 'resend', 'cancelled']) }).meta({ id: 'Resolution' }),
    bodyExample: { outcome: 'sent' },
    answers: declareState('Resolved.'),
    problems: ['email-state'],
    async handle({ path, body, principal }, tx) {
      await readOwn(tx, path.id, principal);
      const result = await resolveEmailWithin(tx, path.id, body.outcome, actorOf(principal));
      if (result.outcome === 'unknown') throw noSuchEmail(path.id);
      if (result.outcome === 'nothing-uncertain')
        throw wrongEmailState(result.status, 'It is not uncertain.');
      return { status: 200, body: { id: path.id, status: result.status } };
    },
  });
}
