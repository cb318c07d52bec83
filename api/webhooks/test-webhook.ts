// POST /api/v1/webhooks/{id}/test: does an event arrive there?
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { findDelivery, insertTest, type WebhookDelivery } from '../../relay/client/webhook/delivery.ts';
import { findWebhook } from '../../relay/client/webhook/webhook.ts';
import { id } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { deliveryView, toDeliveryView } from './delivery.ts';
import { noWebhook } from './missing.ts';

// A little more than an attempt may take.
const patienceMs = 18_000;
const lookEveryMs = 100;

export function testWebhook({ database }: { database: Database }): Operation {
  return changes({
    id: 'testWebhook',
    method: 'post',
    path: '/api/v1/webhooks/{id}/test',
    tag: 'Webhooks',
    summary: 'Send `webhook.test` to an endpoint and wait for its answer',
    description:
      'Waits up to 18 seconds. `status: waiting` with an `error` means that the first attempt failed and others follow; ' +
      'without one, that no worker has taken it yet.',
    scope: 'admin',
    params: z.strictObject({ id }),
    answers: { 200: { description: 'How it stands.', schema: deliveryView } },
    problems: ['webhook-disabled'],
    async handle({ path, gone }, tx) {
      const webhook = await findWebhook(tx, path.id);
      if (!webhook) throw noWebhook(path.id);
      if (webhook.state === 'disabled')
        throw new Problem('webhook-disabled', `Webhook ${path.id} is disabled: ${webhook.disabledCause}.`);
      const deliveryId = await insertTest(tx, path.id);
      const first = await findDelivery(tx, path.id, deliveryId);
      if (!first) throw new Error('A delivery that was just written is not there');
      return {
        status: 200,
        body: toDeliveryView(first),
        afterCommit: async () => toDeliveryView(await outcomeOf(database, path.id, first, gone)),
      };
    },
  });
}

async function outcomeOf(
  database: Database,
  webhookId: string,
  first: WebhookDelivery,
  gone: AbortSignal,
): Promise<WebhookDelivery> {
  const deadline = performance.now() + patienceMs;
  let delivery = first;
  try {
    while (delivery.attemptedAt === null && performance.now() < deadline) {
      await pause(lookEveryMs, undefined, { signal: gone });
      delivery = (await findDelivery(database, webhookId, first.id)) ?? delivery;
    }
  } catch {
    // The caller hung up, or the database is away: the event is written either way.
  }
  return delivery;
}
