// What an endpoint can hear of. The triggers of the database write those about mail and lanes; the list is closed.

export const eventTypes = [
  'email.queued',
  'email.sent',
  'email.deferred',
  'email.bounced',
  'email.complained',
  'email.uncertain',
  'email.held',
  'email.expired',
  'email.cancelled',
  'email.captured',
  'email.suppressed',
  'lane.stopped',
  'lane.open',
  'suppression.added',
  'suppression.removed',
  'domain.changed',
  'webhook.test',
] as const;

export type EventType = (typeof eventTypes)[number];
