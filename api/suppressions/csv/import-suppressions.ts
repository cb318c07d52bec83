// POST /api/v1/suppressions/import: a file of addresses that are written to no more, all of them or none.
import { z } from 'zod';
import {
  type ImportedSuppression,
  importSuppressions as insertSuppressions,
} from '../../../relay/client/suppression/import.ts';
import { suppressionReasons } from '../../../relay/client/suppression/suppression.ts';
import { changes, type Operation } from '../../operation.ts';
import { stream } from '../../tags.ts';
import { mostLines, readFile } from './read-file.ts';

const query = z.strictObject({
  reason: z.enum(suppressionReasons).optional().meta({
    description:
      'For lines that do not say one, where the columns do not show it either. Without it `manual`.',
  }),
  stream: stream.optional().meta({ description: 'For lines that do not say one. Without it all mail.' }),
});

export function importSuppressions(): Operation {
  return changes({
    id: 'importSuppressions',
    method: 'post',
    path: '/api/v1/suppressions/import',
    csvOf: '/api/v1/suppressions',
    tag: 'Suppressions',
    summary: 'Put the addresses of a CSV file on the suppression list',
    description:
      `At most ${mostLines} lines and 16 MB. The first line names the columns: \`address\`, and if you like \`reason\`, ` +
      '`stream` and `created_at`. The exports of SendGrid, Mailgun and Postmark are understood as they are. All lines ' +
      'are read first: when one of them has a fault, nothing is written, and each fault is named with its line in ' +
      '`pointer` (`#/line-17/address`; the first hundred, the others are counted). What is on the list already stays ' +
      'as it is. A `POST` of `text/csv` to `/api/v1/suppressions` is the same.',
    scope: 'admin',
    textBody: 'text/csv',
    bodyLimit: 16 * 1024 * 1024,
    query,
    body: z.string(),
    bodyExample: 'address,reason,stream,created_at\nann@example.com,bounce,,2026-11-30T12:00:00Z\n',
    answers: {
      200: {
        description: 'All of them are on the list.',
        schema: z
          .strictObject({
            added: z.int().meta({ description: 'Came onto the list.' }),
            known: z.int().meta({ description: 'Were on the list already, or stand in the file twice.' }),
          })
          .meta({ id: 'ImportedSuppressions' }),
      },
    },
    prepare: (call) => async () => {
      const { reason, stream: given } = call.query as z.output<typeof query>;
      const defaults = { reason, stream: given, now: new Date() };
      return { ...call, body: await readFile(call.body as string, defaults) };
    },
    async handle({ body }, tx) {
      const entries = body as unknown as ImportedSuppression[];
      const added = await insertSuppressions(tx, entries);
      return { status: 200, body: { added, known: entries.length - added } };
    },
  });
}
