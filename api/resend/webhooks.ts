// Endpoints in the shapes of the client. Events arrive in Postern's own form and under its names (deploy/webhooks), so
// an endpoint is told by those, whichever names it was made with.
import { z } from 'zod';
import type { Call, Operation } from '../operation.ts';
import type { Fault } from '../problem.ts';
import type { deliveryView } from '../webhooks/delivery.ts';
import type { webhookView } from '../webhooks/webhook.ts';
import { forwardOnly, toList } from './list.ts';
import { mount } from './mount.ts';

type View = z.output<typeof webhookView>;
type Delivery = z.output<typeof deliveryView>;
type Members = Readonly<Record<string, unknown>>;

const webhookPath = z.strictObject({ id: z.uuid() });
const eventPath = z.strictObject({ id: z.uuid(), event: z.uuid() });

/** Where the client has another name for it. Of what it asks for and Postern cannot know, nothing is made up. */
const ownNames: Readonly<Record<string, string>> = {
  'email.delivery_delayed': 'email.deferred',
  'email.failed': 'email.expired',
};

const unknowable: Readonly<Record<string, string>> = {
  'email.delivered':
    'is never sent: Postern knows that the provider took the mail (email.sent), not that it arrived',
  'email.opened': 'is never sent: Postern does not track who opens mail',
  'email.clicked': 'is never sent: Postern does not track links',
  'email.received': 'is never sent: Postern receives no mail',
  'email.scheduled': 'is never sent: the answer to the request says when the mail leaves',
};

function toDraft(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const { endpoint, events, status, ...same } = body as Members;
  return {
    ...same,
    ...(endpoint !== undefined && { url: endpoint }),
    ...(events !== undefined && {
      events: Array.isArray(events) ? [...new Set(events.map(ownName))] : events,
    }),
    ...(status !== undefined && {
      enabled: status === 'enabled' || (status === 'disabled' ? false : status),
    }),
  };
}

const ownName = (event: unknown) => ownNames[String(event)] ?? event;

function asClientSays(fault: Fault): Fault {
  const detail = unknowable[String(fault.received)] ?? fault.detail;
  const pointer = fault.pointer.replace(/^#\/url/, '#/endpoint');
  if (pointer === '#/enabled')
    return { ...fault, pointer: '#/status', detail: 'must be enabled or disabled' };
  return { ...fault, pointer, detail };
}

const toWebhook = ({ id, url, events, enabled, created_at }: View) => ({
  id,
  endpoint: url,
  events,
  status: enabled ? 'enabled' : 'disabled',
  created_at,
});

const toState = ({ id }: { id: string }) => ({ object: 'webhook', id });

const toEvent = ({ id, type, timestamp, status, attempts }: Delivery) => ({
  id,
  type,
  created_at: timestamp,
  status: { delivered: 'success', failed: 'failed', waiting: attempts > 0 ? 'attempting' : 'pending' }[
    status
  ],
});

const webhookOf = ({ path }: Call) => (path as { id: string }).id;

export const clientWebhooks = (engine: (id: string) => Operation): Operation[] => [
  mount(engine('createWebhook'), {
    id: 'resend.webhooks.create',
    path: '/resend/webhooks',
    ask: ({ body }) => ({ body: toDraft(body) }),
    tell: ({ id, secret }) => ({ object: 'webhook', id, signing_secret: secret }),
    rename: asClientSays,
  }),
  mount(engine('listWebhooks'), {
    id: 'resend.webhooks.list',
    path: '/resend/webhooks',
    query: forwardOnly,
    ask: ({ query }) => ({ query }),
    tell: toList(toWebhook),
  }),
  mount(engine('getWebhook'), {
    id: 'resend.webhooks.get',
    path: '/resend/webhooks/{id}',
    params: webhookPath,
    // Without its secret, which is shown once.
    tell: (view: View) => ({ object: 'webhook', ...toWebhook(view) }),
  }),
  mount(engine('updateWebhook'), {
    id: 'resend.webhooks.update',
    path: '/resend/webhooks/{id}',
    params: webhookPath,
    ask: ({ path, body }) => ({ path, body: toDraft(body) }),
    tell: toState,
    rename: asClientSays,
  }),
  mount(engine('deleteWebhook'), {
    id: 'resend.webhooks.remove',
    path: '/resend/webhooks/{id}',
    params: webhookPath,
    tell: (_, call) => ({ object: 'webhook', id: webhookOf(call), deleted: true }),
  }),
  mount(engine('rotateWebhookSecret'), {
    id: 'resend.webhooks.rotateSigningSecret',
    path: '/resend/webhooks/{id}/signing-secret/rotate',
    params: webhookPath,
    tell: ({ id, secret }) => ({ object: 'webhook', id, signing_secret: secret }),
  }),
  mount(engine('listWebhookDeliveries'), {
    id: 'resend.webhooks.events.list',
    path: '/resend/webhooks/{id}/events',
    params: webhookPath,
    query: forwardOnly,
    ask: ({ path, query }) => ({ path, query }),
    tell: toList(toEvent),
  }),
  mount(engine('replayWebhookDelivery'), {
    id: 'resend.webhooks.events.replay',
    path: '/resend/webhooks/{id}/events/{event}/replay',
    params: eventPath,
    ask: ({ path }) => {
      const { id, event } = path as z.output<typeof eventPath>;
      return { path: { id, delivery_id: event } };
    },
    tell: ({ id }) => ({ object: 'webhook_event', id }),
  }),
];
