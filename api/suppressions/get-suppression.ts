// GET /api/v1/suppressions/{address}: why is this address not written to?
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { findSuppression } from '../../relay/client/suppression/suppression.ts';
import { address } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { notSuppressed, ofStream, suppressionView, toSuppressionView } from './suppression.ts';

export function getSuppression({ database }: { database: Database }): Operation {
  return reads({
    id: 'getSuppression',
    method: 'get',
    path: '/api/v1/suppressions/{address}',
    tag: 'Suppressions',
    summary: 'Say why an address is not written to',
    description:
      'The case of ASCII letters does not matter, nor how a domain of another script is written. Without `stream` an ' +
      'entry for one stream is shown where there is none for all mail.',
    scope: 'read',
    params: z.strictObject({ address }),
    query: ofStream,
    answers: { 200: { description: 'It is on the list.', schema: suppressionView } },
    async handle({ path, query }) {
      const suppression = await findSuppression(database, path.address, query.stream);
      if (!suppression) throw notSuppressed(path.address, query.stream);
      return { status: 200, body: toSuppressionView(suppression) };
    },
  });
}
