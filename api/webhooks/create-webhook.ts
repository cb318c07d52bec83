// POST /api/v1/webhooks: an endpoint, and its secret for the only time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import { insertWebhook, mostWebhooks } from '../../relay/client/webhook/webhook.ts';
import { invalidFields } from '../faults.ts';
import { changes, type Operation } from '../operation.ts';
import { newSecret, secretField, writeSecret } from './secret.ts';
import { heardByAll } from './settled.ts';
import { toEvents, toWebhookView, webhookFields, webhookView } from './webhook.ts';

export function createWebhook({
  database,
  policy,
}: {
  database: Database;
  policy: AddressPolicy;
}): Operation {
  const { url, events, description, tags } = webhookFields(policy);
  return changes({
    id: 'createWebhook',
    method: 'post',
    path: '/api/v1/webhooks',
    tag: 'Webhooks',
    summary: 'Create an endpoint that hears of events',
    description:
      'One event for each recipient, at least once, signed as Standard Webhooks says. The endpoint hears of every ' +
      'change that is committed after this answer. Only this answer holds the secret.',
    scope: 'admin',
    idempotency: 'secret',
    body: z
      .strictObject({
        url,
        events: events.optional(),
        description: description.optional(),
        tags: tags.optional(),
      })
      .meta({ id: 'WebhookDraft' }),
    bodyExample: { url: 'https://shop.example.com/hooks/mail', events: ['email.bounced', 'email.sent'] },
    answers: {
      201: {
        description: 'Created. Store `secret`: it is not shown again.',
        schema: z.strictObject({ ...webhookView.shape, secret: secretField }),
      },
    },
    async handle({ body }, tx) {
      const secret = newSecret();
      const draft = {
        url: body.url,
        events: body.events ? toEvents(body.events) : null,
        description: body.description ?? null,
        tags: body.tags ?? [],
      };
      const webhook = await insertWebhook(tx, draft, secret);
      if (!webhook) {
        const detail = `must wait: there are ${mostWebhooks} endpoints, which is the most there may be`;
        throw invalidFields([{ in: 'body', pointer: '#', detail }]);
      }
      const answer = { ...toWebhookView(webhook), secret: writeSecret(secret) };
      const settled = await heardByAll(database, tx);
      return {
        status: 201,
        body: answer,
        afterCommit: async () => {
          await settled();
          return answer;
        },
      };
    },
  });
}
