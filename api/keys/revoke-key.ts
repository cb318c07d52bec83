// DELETE /api/v1/keys/{id}: a key that stops working at once.
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { keyPath, keyView, noSuchKey, toKeyView } from './key.ts';
import { revokeKeyRow } from './store.ts';

export function revokeKey({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'revokeKey',
    method: 'delete',
    path: '/api/v1/keys/{id}',
    tag: 'Keys',
    summary: 'Revoke an API key',
    description: 'The key stops working at once, on all replicas. Revoking it again changes nothing.',
    scope: 'admin',
    params: keyPath,
    answers: { 200: { description: 'Revoked.', schema: keyView } },
    async handle({ path }, tx) {
      const row = await revokeKeyRow(tx, path.id);
      if (!row) throw noSuchKey(path.id);
      const { allowedSenders } = await sending.limits(tx);
      return { status: 200, body: toKeyView(row, allowedSenders) };
    },
  });
}
