// GET /api/v1/emails/{id}: one email and what became of each recipient.
import type { Database } from '../../deploy/database.ts';
import { readDeliveries } from '../../relay/client/email/delivery.ts';
import { readWaitingFor } from '../diagnosis/waiting-for.ts';
import { type Operation, reads } from '../operation.ts';
import { emailView, toEmailView } from './email.ts';
import { owns, readVisible } from './owner.ts';
import { emailPath } from './state.ts';

export function getEmail({ database }: { database: Database }): Operation {
  return reads({
    id: 'getEmail',
    method: 'get',
    path: '/api/v1/emails/{id}',
    tag: 'Emails',
    summary: 'Read an email and the status of each recipient',
    description: '`sent` means that the provider accepted it. Postern cannot know whether it was delivered.',
    scope: 'read',
    params: emailPath,
    answers: { 200: { description: 'The email.', schema: emailView } },
    async handle({ path, principal }) {
      const email = await readVisible(database, path.id, principal);
      const deliveries = await readDeliveries(database, path.id);
      const body = toEmailView(email, deliveries, {
        showsContent: owns(principal, email),
        waitingFor: await readWaitingFor(database, email.status),
      });
      return { status: 200, body, headers: { etag: `"${email.revision}"` } };
    },
  });
}
