// GET /api/v1/suppressions/{address}: why is this address not written to?
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { findSuppression } from '../../relay/client/suppression/suppression.ts';
import { address } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { notSuppressed, suppressionView, toSuppressionView } from './suppression.ts';

export function getSuppression({ database }: { database: Database }): Operation {
  return reads({
    id: 'getSuppression',
    method: 'get',
    path: '/api/v1/suppressions/{address}',
    tag: 'Suppressions',
    summary: 'Say why an address is not written to',
    description: 'The case of ASCII letters does not matter, nor how a domain of another script is written.',
    scope: 'read',
    params: z.strictObject({ address }),
    answers: { 200: { description: 'It is on the list.', schema: suppressionView } },
    async handle({ path }) {
      const suppression = await findSuppression(database, path.address);
      if (!suppression) throw notSuppressed(path.address);
      return { status: 200, body: toSuppressionView(suppression) };
    },
  });
}
