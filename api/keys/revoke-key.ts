// DELETE /api/v1/keys/{id}: a key that stops working at once.
import { z } from 'zod';
import { id } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { keyView, toKeyView } from './key.ts';
import { revokeKeyRow } from './store.ts';

export function revokeKey(): Operation {
  return changes({
    id: 'revokeKey',
    method: 'delete',
    path: '/api/v1/keys/{id}',
    tag: 'Keys',
    summary: 'Revoke an API key',
    description: 'The key stops working at once, on all replicas. Revoking it again changes nothing.',
    scope: 'admin',
    params: z.strictObject({ id }),
    answers: { 200: { description: 'Revoked.', schema: keyView } },
    async handle({ path }, tx) {
      const row = await revokeKeyRow(tx, path.id);
      if (!row) throw new Problem('not-found', `Key ${path.id} not found.`);
      return { status: 200, body: toKeyView(row) };
    },
  });
}
