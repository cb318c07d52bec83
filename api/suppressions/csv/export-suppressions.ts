// GET /api/v1/suppressions/export: the list as a file.
import { z } from 'zod';
import type { Database } from '../../../deploy/database.ts';
import { pagesOfSuppressions } from '../../../relay/client/suppression/pages.ts';
import type { Suppression } from '../../../relay/client/suppression/suppression.ts';
import { type Operation, reads } from '../../operation.ts';
import { suppressionFilters } from '../suppression.ts';

export function exportSuppressions({ database }: { database: Database }): Operation {
  return reads({
    id: 'exportSuppressions',
    method: 'get',
    path: '/api/v1/suppressions/export',
    csvOf: '/api/v1/suppressions',
    tag: 'Suppressions',
    summary: 'The suppression list as a CSV file, oldest first',
    description:
      'With the columns `address`, `reason`, `stream` and `created_at`, as the import takes them. Persons who were ' +
      'erased stay on the list, and are not shown. A `GET` of `/api/v1/suppressions` with `Accept: text/csv` is the same.',
    scope: 'read',
    query: z.strictObject(suppressionFilters),
    answers: {
      200: {
        description: 'The whole list.',
        contentType: 'text/csv',
        schema: z.string(),
        example: 'address,reason,stream,created_at\r\nann@example.com,bounce,,2026-11-30T12:00:00.000Z\r\n',
      },
    },
    async handle({ query: { reason, stream, source } }) {
      const filters = { reasons: reason, stream, sources: source };
      return {
        status: 200,
        text: { type: 'text/csv', chunks: fileOf(pagesOfSuppressions(database, filters)) },
        headers: { 'content-disposition': 'attachment; filename="suppressions.csv"' },
      };
    },
  });
}

async function* fileOf(pages: AsyncIterable<readonly Suppression[]>): AsyncGenerator<string> {
  yield 'address,reason,stream,created_at\r\n';
  for await (const page of pages) {
    yield page
      .map(({ address, reason, stream, createdAt }) =>
        lineOf([address, reason, stream ?? '', createdAt.toISOString()]),
      )
      .join('');
  }
}

/** RFC 4180. */
const lineOf = (values: readonly string[]) => `${values.map(quoted).join(',')}\r\n`;

const quoted = (value: string) => (/[",\r\n;]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
