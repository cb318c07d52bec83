// DELETE /api/v1/webhooks/{id}: nothing is posted to it any more.
import { z } from 'zod';
import { deleteWebhook as removeWebhook } from '../../relay/client/webhook/webhook.ts';
import { id } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { noWebhook } from './missing.ts';

export function deleteWebhook(): Operation {
  return changes({
    id: 'deleteWebhook',
    method: 'delete',
    path: '/api/v1/webhooks/{id}',
    tag: 'Webhooks',
    summary: 'Delete an endpoint, with what it did not hear of yet',
    description: 'A request that is under way may still arrive.',
    scope: 'admin',
    params: z.strictObject({ id }),
    answers: { 204: { description: 'Deleted.' } },
    async handle({ path }, tx) {
      if (!(await removeWebhook(tx, path.id))) throw noWebhook(path.id);
      return { status: 204 };
    },
  });
}
