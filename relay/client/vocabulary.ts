// The words every room shares: what can be true of a mail, and where a conversation can fail.
// The database holds the same lists (deploy/migrations/000001_mail.sql); test/relay/vocabulary.test.ts
// compares them.

/**
 * What is true of a recipient, and of an email as a whole. The order is the precedence: an email shows
 * the first of its recipients' statuses in this list, so the one that needs attention is never hidden
 * behind one that does not.
 */
export const statuses = [
  'uncertain', // all data sent, no final reply: SMTP itself cannot tell (RFC 1047)
  'held', // waits for a person or for configuration; the reason says which
  'sending', // claimed by a relay under a lease
  'deferred', // will be tried again at next_attempt_at
  'queued', // accepted by the relay, waiting for a free connection
  'pending', // waits for its time, or for the hand-over to the relay
  'bounced', // refused for good by the provider
  'suppressed', // its address is on the list of those who are not written to
  'expired', // its lifetime or max_lateness passed
  'cancelled', // withdrawn before any DATA was sent
  'captured', // DELIVERY_MODE kept it here
  'sent', // the provider answered 250 and took responsibility; more is not known
] as const;

export type Status = (typeof statuses)[number];

/** Nothing more will happen to a recipient in one of these. */
export const finalStatuses = [
  'bounced',
  'suppressed',
  'expired',
  'cancelled',
  'captured',
  'sent',
] as const satisfies Status[];

/** Where in the conversation with a provider something happened, in the order of the conversation. */
export const stages = [
  'config',
  'token', // only with OAuth2
  'dns',
  'tcp',
  'tls',
  'greeting',
  'ehlo',
  'starttls',
  'auth',
  'mail',
  'rcpt',
  'data',
  'dot',
  'accepted',
] as const;

export type Stage = (typeof stages)[number];

/** What a failure means for the mail; relay/verdict/ decides, in one place. */
export type Verdict = 'failover' | 'stop' | 'pause' | 'retry' | 'split' | 'fail' | 'uncertain';

/** What a verdict applies to, from one address up to the whole platform. */
export type Scope = 'recipient' | 'message' | 'sender' | 'route' | 'credential' | 'platform';

/** Why an email exists. */
export type EmailKind = 'invitation' | 'single' | 'scheduled' | 'rejection' | 'test';

/** What to do when the final reply is lost; `null` on an email means the relay's UNCERTAIN_POLICY. */
export type UncertainPolicy = 'resend' | 'hold';

/** Lower goes first when a quota is short: people wait for invitations, nobody waits for bulk. */
export const priorities = { immediate: 0, submitted: 1, scheduled: 2 } as const;

/** One entry of a mail's timeline, as stored in `event`. */
export type TimelineEvent = {
  type:
    | 'created'
    | 'updated'
    | 'paused'
    | 'resumed'
    | 'hand-over-failed'
    | 'hand-over-refused'
    | 'queued'
    | 'attempt'
    | 'sent'
    | 'deferred'
    | 'bounced'
    | 'uncertain'
    | 'held'
    | 'released'
    | 'requeued'
    | 'expired'
    | 'cancelled'
    | 'captured'
    | 'suppressed'
    | 'resolved'
    | 'sent-again'
    | 'notified'
    // What delivery reports told after the provider's 250.
    | 'delayed'
    | 'delivered'
    | 'complained';
  at: Date;
  emailId: string | null;
  queueId: string | null;
  /** The one address this is about; null when it is about the whole mail. */
  recipient: string | null;
  /** Route, stage, reply, durations in ms, cause, actor: whatever the type has to say. Never a secret. */
  detail: Readonly<Record<string, unknown>>;
  /** Of the request that asked for the mail. */
  traceId: string | null;
};
