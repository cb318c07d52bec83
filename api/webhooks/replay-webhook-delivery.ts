// POST /api/v1/webhooks/{id}/deliveries/{delivery_id}/replay: one event again.
import { z } from 'zod';
import { findDelivery, replay } from '../../relay/client/webhook/delivery.ts';
import { findWebhook } from '../../relay/client/webhook/webhook.ts';
import { id } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { deliveryView, toDeliveryView } from './delivery.ts';
import { noWebhook } from './missing.ts';

export function replayWebhookDelivery(): Operation {
  return changes({
    id: 'replayWebhookDelivery',
    method: 'post',
    path: '/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay',
    tag: 'Webhooks',
    summary: 'Deliver one event again, under the same `webhook-id`',
    scope: 'admin',
    params: z.strictObject({ id, delivery_id: id }),
    answers: { 202: { description: 'It is due now.', schema: deliveryView } },
    async handle({ path }, tx) {
      if (!(await findWebhook(tx, path.id))) throw noWebhook(path.id);
      if (!(await replay(tx, path.id, path.delivery_id)))
        throw new Problem('not-found', `Webhook ${path.id} has no delivery ${path.delivery_id}.`);
      const delivery = await findDelivery(tx, path.id, path.delivery_id);
      if (!delivery) throw new Error('A delivery that was just changed is not there');
      return { status: 202, body: toDeliveryView(delivery) };
    },
  });
}
