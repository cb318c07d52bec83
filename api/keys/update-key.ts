// PATCH /api/v1/keys/{id}: another name, other senders, limits or another end.
import { z } from 'zod';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { keyPath, keyView, noSuchKey, toKeyView } from './key.ts';
import { keyName, settingsFields, withSettings } from './settings.ts';
import { findKeyToChange, updateKeyRow } from './store.ts';

export function updateKey({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'updateKey',
    method: 'patch',
    path: '/api/v1/keys/{id}',
    tag: 'Keys',
    summary: 'Change the name, the senders, the limits or the end of an API key',
    description:
      'Members that are left out stay. It holds from the next request on, and in SMTP sessions within a second. ' +
      '`[]`, `0` and `never` take a limit away.',
    scope: 'admin',
    params: keyPath,
    body: z.strictObject({ name: keyName.optional(), ...settingsFields }).meta({ id: 'KeyChange' }),
    bodyExample: { per_hour: 500, senders: ['shop@example.com'] },
    answers: { 200: { description: 'The key as it is now.', schema: keyView } },
    problems: ['key-revoked'],
    async handle({ path, body }, tx) {
      const { allowedSenders } = await sending.limits(tx);
      const key = await findKeyToChange(tx, path.id);
      if (!key) throw noSuchKey(path.id);
      if (key.revokedAt) throw new Problem('key-revoked', 'The key was revoked; it cannot be changed.');
      const settings = withSettings(key, body, { scopes: key.scopes, allowedSenders });
      return { status: 200, body: toKeyView(await updateKeyRow(tx, path.id, settings), allowedSenders) };
    },
  });
}
