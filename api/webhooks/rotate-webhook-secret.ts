// POST /api/v1/webhooks/{id}/rotate-secret: a new secret, while the old one still signs.
import { z } from 'zod';
import { rotateSecret, rotationHours } from '../../relay/client/webhook/webhook.ts';
import { id, instant } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { noWebhook } from './missing.ts';
import { newSecret, secretField, writeSecret } from './secret.ts';

export function rotateWebhookSecret(): Operation {
  return changes({
    id: 'rotateWebhookSecret',
    method: 'post',
    path: '/api/v1/webhooks/{id}/rotate-secret',
    tag: 'Webhooks',
    summary: 'Give an endpoint a new secret',
    description: `Both secrets sign every delivery for ${rotationHours} hours, so that receivers can be changed meanwhile.`,
    scope: 'admin',
    idempotency: 'secret',
    params: z.strictObject({ id }),
    answers: {
      200: {
        description: 'The new secret. Store it: it is not shown again.',
        schema: z.strictObject({ id, secret: secretField, previous_secret_until: instant }),
      },
    },
    async handle({ path }, tx) {
      const secret = newSecret();
      const until = await rotateSecret(tx, path.id, secret);
      if (!until) throw noWebhook(path.id);
      return {
        status: 200,
        body: { id: path.id, secret: writeSecret(secret), previous_secret_until: until.toISOString() },
      };
    },
  });
}
