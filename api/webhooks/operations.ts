// The operations on webhooks, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import { openAddressPolicy } from '../../deploy/public-address.ts';
import type { Operation } from '../operation.ts';
import { createWebhook } from './create-webhook.ts';
import { deleteWebhook } from './delete-webhook.ts';
import { getWebhook } from './get-webhook.ts';
import { listWebhookDeliveries } from './list-webhook-deliveries.ts';
import { listWebhooks } from './list-webhooks.ts';
import { replayWebhook } from './replay-webhook.ts';
import { replayWebhookDelivery } from './replay-webhook-delivery.ts';
import { rotateWebhookSecret } from './rotate-webhook-secret.ts';
import { testWebhook } from './test-webhook.ts';
import { updateWebhook } from './update-webhook.ts';

export function webhookOperations({
  database,
  webhookAllowPrivate = [],
}: {
  database: Database;
  webhookAllowPrivate?: readonly string[];
}): Operation[] {
  const given = { database, policy: openAddressPolicy(webhookAllowPrivate) };
  return [
    createWebhook(given),
    listWebhooks(given),
    getWebhook(given),
    updateWebhook(given),
    deleteWebhook(),
    rotateWebhookSecret(),
    testWebhook(given),
    listWebhookDeliveries(given),
    replayWebhookDelivery(),
    replayWebhook(),
  ];
}
