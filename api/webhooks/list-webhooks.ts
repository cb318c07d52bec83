// GET /api/v1/webhooks: all endpoints, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { listWebhooks as readWebhooks } from '../../relay/client/webhook/webhook.ts';
import { pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { toWebhookView, webhookView } from './webhook.ts';

export function listWebhooks({ database }: { database: Database }): Operation {
  return reads({
    id: 'listWebhooks',
    method: 'get',
    path: '/api/v1/webhooks',
    tag: 'Webhooks',
    summary: 'List endpoints, newest first',
    scope: 'admin',
    query: z.strictObject(pageQuery),
    answers: { 200: { description: 'A page of endpoints.', schema: pageOf(webhookView) } },
    async handle({ query }) {
      const rows = await readWebhooks(database, query);
      return { status: 200, body: toPage(rows.map(toWebhookView), query.limit) };
    },
  });
}
