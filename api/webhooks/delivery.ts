// A delivery as the API shows it: an event, and how it fares at one endpoint.
import { z } from 'zod';
import { deliveryStatuses, type WebhookDelivery } from '../../relay/client/webhook/delivery.ts';
import { id, instant } from '../fields.ts';

export const deliveryView = z
  .strictObject({
    id: id.meta({
      description: 'The `webhook-id`: it names the event, alike at every endpoint and attempt.',
    }),
    type: z.string().meta({ examples: ['email.sent'] }),
    timestamp: instant,
    status: z.enum(deliveryStatuses),
    attempts: z.int().min(0),
    next_attempt_at: instant.nullable(),
    attempted_at: instant.nullable(),
    answer_status: z.int().nullable().meta({ description: 'The HTTP status of the last attempt.' }),
    answer: z.string().nullable().meta({ description: 'The first 4 KB of its body.' }),
    error: z.string().nullable().meta({ description: 'Why the last attempt failed.' }),
    duration_ms: z.int().nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'WebhookDelivery' });

export function toDeliveryView(delivery: WebhookDelivery): z.output<typeof deliveryView> {
  return {
    id: delivery.id,
    type: delivery.type,
    timestamp: delivery.at.toISOString(),
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
    attempted_at: delivery.attemptedAt?.toISOString() ?? null,
    answer_status: delivery.answerStatus,
    answer: delivery.answer,
    error: delivery.error,
    duration_ms: delivery.durationMs,
    data: delivery.data,
  };
}
