// GET /api/v1/audit: who did what, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { pageOf, pageQuery, time, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { entryView, toEntryView } from './entry.ts';
import { findEntries } from './store.ts';

export function listAudit({ database }: { database: Database }): Operation {
  return reads({
    id: 'listAudit',
    method: 'get',
    path: '/api/v1/audit',
    tag: 'Audit',
    summary: 'List who did what, newest first',
    description:
      'Every act of people in the dashboard and of admin keys that changes something, written in the transaction of the ' +
      'act. Entries are never changed and stay for 365 days or RETENTION_ROWS, whichever is longer. Not listed: mail and ' +
      'customers that keys create, which say themselves by which key.',
    scope: 'admin',
    query: z.strictObject({
      ...pageQuery,
      actor: z.string().max(100).optional().meta({
        description: 'The id of a user or key, or `admin`, `bootstrap`, `nobody`, `person`, `key`.',
      }),
      act: z
        .string()
        .max(100)
        .optional()
        .meta({ examples: ['cancel-email'] }),
      object: z.string().min(1).max(400).optional().meta({
        description: 'An id, an address or the client of a form.',
      }),
      from: time.optional().meta({ description: 'Not before then.' }),
      before: time.optional().meta({ description: 'Before then.' }),
    }),
    answers: { 200: { description: 'A page of entries.', schema: pageOf(entryView) } },
    async handle({ query }) {
      const rows = await findEntries(database, query);
      return { status: 200, body: toPage(rows.map(toEntryView), query.limit) };
    },
  });
}
