// POST /api/v1/keys: made here, shown once, kept as a digest.
import { z } from 'zod';
import { newSecret } from '../../relay/client/keys/secret.ts';
import { scopes } from '../authenticate.ts';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { keyShape, toKeyView } from './key.ts';
import { keyName, noSettings, settingsFields, withSettings } from './settings.ts';
import { insertKey } from './store.ts';

export function createKey({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'createKey',
    method: 'post',
    path: '/api/v1/keys',
    tag: 'Keys',
    summary: 'Create an API key',
    description:
      'Only this answer holds the secret; Postern stores its digest. Senders, tags and limits for recipients are for ' +
      'keys with the scope `send` and without `admin`.',
    scope: 'admin',
    idempotency: 'secret',
    body: z
      .strictObject({
        name: keyName,
        scopes: z
          .array(z.enum(scopes))
          .min(1, 'must name at least one scope')
          .max(scopes.length)
          .refine((given) => new Set(given).size === given.length, { error: 'must not repeat a scope' }),
        ...settingsFields,
      })
      .meta({ id: 'KeyDraft' }),
    bodyExample: { name: 'Shop backend', scopes: ['send'], senders: ['*@example.com'], per_hour: 500 },
    answers: {
      201: {
        description: 'Created. Store `secret`: it is not shown again.',
        schema: z.strictObject({ ...keyShape, secret: z.string() }),
      },
    },
    async handle({ body: { scopes: granted, ...given } }, tx) {
      const { allowedSenders } = await sending.limits(tx);
      const settings = withSettings({ name: given.name, ...noSettings }, given, {
        scopes: granted,
        allowedSenders,
      });
      const secret = newSecret();
      const row = await insertKey(tx, { ...settings, secret, scopes: granted });
      return { status: 201, body: { ...toKeyView(row, allowedSenders), secret } };
    },
  });
}
