// GET /api/v1/suppressions: who is not written to.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { listSuppressions as readSuppressions } from '../../relay/client/suppression/suppression.ts';
import { pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { suppressionFilters, suppressionView, toSuppressionView } from './suppression.ts';

export function listSuppressions({ database }: { database: Database }): Operation {
  return reads({
    id: 'listSuppressions',
    method: 'get',
    path: '/api/v1/suppressions',
    tag: 'Suppressions',
    summary: 'List the addresses that are not written to, newest first',
    description:
      'Persons who were erased stay on the list, and are not shown. With `Accept: text/csv` the answer is the whole list ' +
      'as a file, as `/api/v1/suppressions/export` gives it.',
    scope: 'read',
    query: z.strictObject({
      ...pageQuery,
      ...suppressionFilters,
    }),
    answers: { 200: { description: 'A page of addresses.', schema: pageOf(suppressionView) } },
    async handle({ query }) {
      const rows = await readSuppressions(database, {
        ...query,
        reasons: query.reason,
        sources: query.source,
      });
      const page = toPage(rows, query.limit);
      return { status: 200, body: { ...page, data: page.data.map(toSuppressionView) } };
    },
  });
}
