// A mail as it stands before the commit, and what a relay with free connections offers to claim of it.
import { randomUUID } from 'node:crypto';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import type { Offer } from '../../../relay/policy/offer.ts';
import type { Submission } from '../../../relay/submission/group.ts';

export const queued = { status: 'queued', reason: null, reasonDetail: null } as const;

export function submission(more: Partial<Submission> = {}): Submission {
  const content = Buffer.from('From: ann@example.com\r\n\r\nhello\r\n');
  return {
    queueId: newQueueId(),
    credential: 'app',
    client: '127.0.0.1',
    email: undefined,
    sender: 'ann@example.com',
    were: {},
    tags: [],
    stream: undefined,
    headerFrom: 'ann@example.com',
    messageId: '<1@example.com>',
    size: content.length,
    smtputf8: false,
    eightBit: false,
    status: queued,
    recipients: [{ address: 'bob@example.net', ...queued, notify: null, orcpt: null }],
    content,
    key: undefined,
    digest: undefined,
    ret: null,
    envid: null,
    ...more,
  };
}

export const offer = (more: Partial<Offer> = {}): Offer => ({
  token: randomUUID(),
  instance: randomUUID(),
  leaseMs: 60_000,
  room: Array.from({ length: 10 }, () => 100),
  welcomes: () => true,
  claimed() {},
  ...more,
});
