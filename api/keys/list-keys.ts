// GET /api/v1/keys: all keys, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { keyView, toKeyView } from './key.ts';
import { findKeys } from './store.ts';

export function listKeys({ database, sending }: { database: Database; sending: Sending }): Operation {
  return reads({
    id: 'listKeys',
    method: 'get',
    path: '/api/v1/keys',
    tag: 'Keys',
    summary: 'List API keys, newest first, including revoked ones',
    scope: 'admin',
    query: z.strictObject(pageQuery),
    answers: { 200: { description: 'A page of keys.', schema: pageOf(keyView) } },
    async handle({ query }) {
      const rows = await findKeys(database, query);
      const { allowedSenders } = await sending.limits(database);
      const views = rows.map((row) => toKeyView(row, allowedSenders));
      return { status: 200, body: toPage(views, query.limit) };
    },
  });
}
