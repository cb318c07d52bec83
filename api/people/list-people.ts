// GET /api/v1/people: the users of the dashboard, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { personView, toPersonView } from './person.ts';
import { findPeople } from './store.ts';

export function listPeople({ database }: { database: Database }): Operation {
  return reads({
    id: 'listPeople',
    method: 'get',
    path: '/api/v1/people',
    tag: 'People',
    summary: 'List the users of the dashboard, newest first, including disabled ones',
    description: 'Whoever knows ADMIN_PASSWORD is always an admin and is not listed.',
    scope: 'admin',
    query: z.strictObject(pageQuery),
    answers: { 200: { description: 'A page of users.', schema: pageOf(personView) } },
    async handle({ query }) {
      const rows = await findPeople(database, query);
      return { status: 200, body: toPage(rows.map(toPersonView), query.limit) };
    },
  });
}
