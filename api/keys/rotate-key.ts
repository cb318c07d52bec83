// POST /api/v1/keys/{id}/rotate: a new secret for the same key.
import { z } from 'zod';
import { newSecret } from '../../relay/client/keys/secret.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { keyPath, keyShape, noSuchKey, toKeyView } from './key.ts';
import { findKeyToChange, rotateKeyRow } from './store.ts';

export function rotateKey({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'rotateKey',
    method: 'post',
    path: '/api/v1/keys/{id}/rotate',
    tag: 'Keys',
    summary: 'Give an API key a new secret',
    description:
      'The old secret is taken for another 24 hours, or until the key is revoked. Mail and forms stay those of the key. ' +
      'Rotating again within the 24 hours ends the oldest secret at once. Only this answer holds the new one.',
    scope: 'admin',
    idempotency: 'secret',
    params: keyPath,
    answers: {
      200: {
        description: 'Store `secret`: it is not shown again.',
        schema: z.strictObject({ ...keyShape, secret: z.string() }),
      },
    },
    problems: ['key-revoked'],
    async handle({ path }, tx) {
      const key = await findKeyToChange(tx, path.id);
      if (!key) throw noSuchKey(path.id);
      if (key.revokedAt) throw new Problem('key-revoked', 'The key was revoked; it gets no new secret.');
      const secret = newSecret();
      const row = await rotateKeyRow(tx, path.id, secret);
      const { allowedSenders } = await sending.limits(tx);
      return { status: 200, body: { ...toKeyView(row, allowedSenders), secret } };
    },
  });
}
