// GET /api/v1/scheduled-emails/{id}: one scheduled email, with the ETag for a change.
import type { Database } from '../../deploy/database.ts';
import { readDeliveries } from '../../relay/client/email/delivery.ts';
import { readWaitingFor } from '../diagnosis/waiting-for.ts';
import { emailView, toEmailView } from '../emails/email.ts';
import { owns, readVisible } from '../emails/owner.ts';
import { emailPath } from '../emails/state.ts';
import { type Operation, reads } from '../operation.ts';
import { etagOf } from './edit.ts';
import { onlyScheduled } from './scheduled-email.ts';

export function getScheduledEmail({ database }: { database: Database }): Operation {
  return reads({
    id: 'getScheduledEmail',
    method: 'get',
    path: '/api/v1/scheduled-emails/{id}',
    tag: 'Scheduling',
    summary: 'Read a scheduled email',
    description: 'Its ETag is the value for `If-Match` of a change.',
    scope: 'read',
    params: emailPath,
    answers: { 200: { description: 'The email.', schema: emailView } },
    async handle({ path, principal }) {
      const email = onlyScheduled(await readVisible(database, path.id, principal));
      const deliveries = await readDeliveries(database, path.id);
      const body = toEmailView(email, deliveries, {
        showsContent: owns(principal, email),
        waitingFor: await readWaitingFor(database, email.status),
      });
      return { status: 200, body, headers: { etag: etagOf(email) } };
    },
  });
}
