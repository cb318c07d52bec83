// POST /api/v1/keys: made here, shown once, kept as a digest.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { scopes } from '../authenticate.ts';
import { line } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { defaultPerMinute } from '../rate-limit.ts';
import { keyShape, toKeyView } from './key.ts';
import { insertKey } from './store.ts';

export function createKey(): Operation {
  return changes({
    id: 'createKey',
    method: 'post',
    path: '/api/v1/keys',
    tag: 'Keys',
    summary: 'Create an API key',
    description: 'Only this answer holds the secret; Postern stores its digest.',
    scope: 'admin',
    idempotency: 'secret',
    body: z
      .strictObject({
        name: line(100),
        scopes: z
          .array(z.enum(scopes))
          .min(1, 'must name at least one scope')
          .max(scopes.length)
          .refine((given) => new Set(given).size === given.length, { error: 'must not repeat a scope' }),
        rate_per_minute: z
          .int()
          .min(1, 'must be at least 1')
          .max(10_000_000, 'must be at most 10000000')
          .optional()
          .meta({ description: `Requests a minute over all replicas; the default is ${defaultPerMinute}.` }),
      })
      .meta({ id: 'KeyDraft' }),
    bodyExample: { name: 'Shop backend', scopes: ['send'] },
    answers: {
      201: {
        description: 'Created. Store `secret`: it is not shown again.',
        schema: z.strictObject({ ...keyShape, secret: z.string() }),
      },
    },
    async handle({ body }, tx) {
      // The prefix lets secret scanners and people recognise what they found.
      const secret = `postern_${randomBytes(32).toString('base64url')}`;
      const row = await insertKey(tx, {
        name: body.name,
        secret,
        scopes: body.scopes,
        ratePerMinute: body.rate_per_minute,
      });
      return { status: 201, body: { ...toKeyView(row), secret } };
    },
  });
}
