// DELETE /api/v1/keys/{id}: a key that stops working at once, with or without the mail that waits.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { cancelWaitingOfKey } from '../../relay/client/outbox/cancel-of-key.ts';
import { actorOf } from '../authenticate.ts';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { keyPath, keyShape, noSuchKey, toKeyView } from './key.ts';
import { revokeKeyRow } from './store.ts';

// Shorter than the patience of a proxy.
const cancelMs = 20_000;

const revoked = z.strictObject({
  ...keyShape,
  waiting_mail: z.strictObject({ cancelled: z.int(), more: z.boolean() }).nullable().meta({
    description:
      'With `cancel_waiting`: how much was cancelled. With `more`, some may still wait; call it again. Else null.',
  }),
});

export function revokeKey({ database, sending }: { database: Database; sending: Sending }): Operation {
  return changes({
    id: 'revokeKey',
    method: 'delete',
    path: '/api/v1/keys/{id}',
    tag: 'Keys',
    summary: 'Revoke an API key',
    description:
      'Requests with the key are refused at once, and SMTP sessions end with their next command, on all replicas. ' +
      'Revoking it again changes nothing. Mail of the key goes on, unless `cancel_waiting=true`: then all of it is ' +
      'cancelled that is not being sent, scheduled mail included.',
    scope: 'admin',
    params: keyPath,
    query: z.strictObject({ cancel_waiting: z.enum(['true', 'false']).optional() }),
    answers: { 200: { description: 'Revoked.', schema: revoked } },
    async handle({ path, query, principal }, tx) {
      const row = await revokeKeyRow(tx, path.id);
      if (!row) throw noSuchKey(path.id);
      const { allowedSenders } = await sending.limits(tx);
      const view = toKeyView(row, allowedSenders);
      if (query.cancel_waiting !== 'true') return { status: 200, body: { ...view, waiting_mail: null } };
      const cancel = () =>
        cancelWaitingOfKey(database, path.id, { actor: actorOf(principal), budgetMs: cancelMs });
      return {
        status: 200,
        body: { ...view, waiting_mail: { cancelled: 0, more: true } },
        // First no new mail, then the mail that is there.
        afterCommit: async () => ({ ...view, waiting_mail: await cancel() }),
      };
    },
  });
}
