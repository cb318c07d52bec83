// An endpoint as the API shows it and takes it: never with a secret it has.
import { z } from 'zod';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import { type EventType, eventTypes } from '../../relay/client/webhook/event-types.ts';
import type { Webhook, WebhookDraft } from '../../relay/client/webhook/webhook.ts';
import { id, instant, prose } from '../fields.ts';
import { tagList } from '../tags.ts';
import { faultsOfUrl } from './url.ts';

const everyEvent = '*';

const events = z
  .array(z.enum([everyEvent, ...eventTypes]))
  .min(1, 'must name at least one event')
  .max(eventTypes.length)
  .refine((given) => new Set(given).size === given.length, { error: 'must not repeat an event' })
  .meta({ description: 'The events it hears of; `*` is all of them.' });

const mostUrl = 2_048;

/** The members of a request, each checked for itself, so that all faults are named at once. */
export const webhookFields = (policy: AddressPolicy) => ({
  url: z
    .string()
    .max(mostUrl, `must be at most ${mostUrl} characters`)
    .superRefine((text, context) => {
      for (const message of faultsOfUrl(text, policy)) context.addIssue({ code: 'custom', message });
    })
    .meta({
      description: 'Where events are posted. https, except inside of WEBHOOK_ALLOW_PRIVATE.',
      examples: ['https://shop.example.com/hooks/mail'],
    }),
  events,
  description: prose(500),
  tags: tagList.meta({
    description: 'Only mail with one of these tags. Events that are not about a mail come all the same.',
  }),
});

export const webhookView = z
  .strictObject({
    id,
    url: z.string().meta({ examples: ['https://shop.example.com/hooks/mail'] }),
    events,
    description: z.string().nullable(),
    tags: tagList,
    enabled: z.boolean(),
    disabled_cause: z
      .enum(['by-hand', 'gone', 'failing'])
      .nullable()
      .meta({
        description:
          '`gone`: it answered 410. `failing`: no attempt succeeded for three days; it still collects events, ' +
          'which are delivered when it is enabled again.',
      }),
    failing_since: instant.nullable(),
    undelivered: z.int().min(0).meta({ description: 'Events that wait for it.' }),
    dropped: z.int().min(0).meta({
      description: 'Undelivered events that were dropped: more than 1,000,000, or older than 14 days.',
    }),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'Webhook' });

export function toWebhookView(webhook: Webhook): z.output<typeof webhookView> {
  return {
    id: webhook.id,
    url: webhook.url,
    events: webhook.events ?? [everyEvent],
    description: webhook.description,
    tags: webhook.tags,
    enabled: webhook.state === 'enabled',
    disabled_cause: webhook.disabledCause,
    failing_since: webhook.failingSince?.toISOString() ?? null,
    undelivered: webhook.undelivered,
    dropped: webhook.dropped,
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
  };
}

export const toEvents = (given: z.output<typeof events>): WebhookDraft['events'] =>
  given.includes(everyEvent) ? null : (given as EventType[]);
