// DELETE /api/v1/suppressions/{address}: it is written to again.
import { z } from 'zod';
import { removeSuppression as deleteSuppression } from '../../relay/client/suppression/suppression.ts';
import { address } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { notSuppressed, ofStream } from './suppression.ts';

export function removeSuppression(): Operation {
  return changes({
    id: 'removeSuppression',
    method: 'delete',
    path: '/api/v1/suppressions/{address}',
    tag: 'Suppressions',
    summary: 'Take an address off the suppression list',
    description: 'Mail that became `suppressed` meanwhile stays so: send it again.',
    scope: 'admin',
    params: z.strictObject({ address }),
    query: ofStream,
    answers: { 204: { description: 'It is written to again.' } },
    async handle({ path, query }, tx) {
      if (!(await deleteSuppression(tx, path.address, query.stream)))
        throw notSuppressed(path.address, query.stream);
      return { status: 204 };
    },
  });
}
