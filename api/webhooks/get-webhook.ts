// GET /api/v1/webhooks/{id}: one endpoint and how it fares.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { findWebhook } from '../../relay/client/webhook/webhook.ts';
import { id } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { noWebhook } from './missing.ts';
import { toWebhookView, webhookView } from './webhook.ts';

export function getWebhook({ database }: { database: Database }): Operation {
  return reads({
    id: 'getWebhook',
    method: 'get',
    path: '/api/v1/webhooks/{id}',
    tag: 'Webhooks',
    summary: 'Get an endpoint',
    scope: 'admin',
    params: z.strictObject({ id }),
    answers: { 200: { description: 'The endpoint.', schema: webhookView } },
    async handle({ path }) {
      const webhook = await findWebhook(database, path.id);
      if (!webhook) throw noWebhook(path.id);
      return { status: 200, body: toWebhookView(webhook) };
    },
  });
}
