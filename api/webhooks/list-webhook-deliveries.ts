// GET /api/v1/webhooks/{id}/deliveries: what an endpoint heard, and what it did not.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { deliveryStatuses, listDeliveries } from '../../relay/client/webhook/delivery.ts';
import { findWebhook } from '../../relay/client/webhook/webhook.ts';
import { id, listOf, pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { deliveryView, toDeliveryView } from './delivery.ts';
import { noWebhook } from './missing.ts';

export function listWebhookDeliveries({ database }: { database: Database }): Operation {
  return reads({
    id: 'listWebhookDeliveries',
    method: 'get',
    path: '/api/v1/webhooks/{id}/deliveries',
    tag: 'Webhooks',
    summary: 'List what an endpoint heard and did not hear, newest first',
    description: 'Kept for 14 days.',
    scope: 'admin',
    params: z.strictObject({ id }),
    query: z.strictObject({
      ...pageQuery,
      status: listOf(deliveryStatuses)
        .optional()
        .meta({ description: 'One status, or several with commas.' }),
    }),
    answers: { 200: { description: 'A page of deliveries.', schema: pageOf(deliveryView) } },
    async handle({ path, query }) {
      if (!(await findWebhook(database, path.id))) throw noWebhook(path.id);
      const rows = await listDeliveries(database, path.id, { ...query, statuses: query.status });
      return { status: 200, body: toPage(rows.map(toDeliveryView), query.limit) };
    },
  });
}
