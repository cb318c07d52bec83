// PATCH /api/v1/webhooks/{id}: another URL, other events, on and off.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import { updateWebhook as changeWebhook } from '../../relay/client/webhook/webhook.ts';
import { id } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { noWebhook } from './missing.ts';
import { heardByAll } from './settled.ts';
import { toEvents, toWebhookView, webhookFields, webhookView } from './webhook.ts';

export function updateWebhook({
  database,
  policy,
}: {
  database: Database;
  policy: AddressPolicy;
}): Operation {
  const { url, events, description, tags } = webhookFields(policy);
  return changes({
    id: 'updateWebhook',
    method: 'patch',
    path: '/api/v1/webhooks/{id}',
    tag: 'Webhooks',
    summary: 'Change an endpoint, or switch it on or off',
    description:
      'Members that are left out stay. With `enabled: false` no more events are written for it; what waits stays ' +
      'for 14 days. `enabled: true` delivers at once what waits, and forgets past failures.',
    scope: 'admin',
    params: z.strictObject({ id }),
    body: z
      .strictObject({
        url: url.optional(),
        events: events.optional(),
        description: description.optional(),
        tags: tags.optional(),
        enabled: z.boolean().optional(),
      })
      .meta({ id: 'WebhookChange' }),
    bodyExample: { enabled: true },
    answers: { 200: { description: 'The endpoint as it is now.', schema: webhookView } },
    async handle({ path, body }, tx) {
      const webhook = await changeWebhook(tx, path.id, {
        ...body,
        events: body.events && toEvents(body.events),
      } as Parameters<typeof changeWebhook>[2]);
      if (!webhook) throw noWebhook(path.id);
      const view = toWebhookView(webhook);
      const settled = await heardByAll(database, tx);
      return {
        status: 200,
        body: view,
        afterCommit: async () => {
          await settled();
          return view;
        },
      };
    },
  });
}
