// GET /api/admin/onboarding/applications: applications by status and words, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { line, pageOf, pageQuery, toPage } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { applicationView, toApplicationView } from './application.ts';
import { applicationStatuses, findApplications } from './store.ts';

export function listApplications({ database }: { database: Database }): Operation {
  return reads({
    id: 'listApplications',
    method: 'get',
    path: '/api/admin/onboarding/applications',
    tag: 'Onboarding',
    summary: 'List applications, newest first',
    scope: 'admin',
    query: z.strictObject({
      ...pageQuery,
      status: z.enum(applicationStatuses).optional(),
      q: line(200).optional().meta({ description: 'Searches company, contact and address.' }),
    }),
    answers: { 200: { description: 'A page of applications.', schema: pageOf(applicationView) } },
    async handle({ query }) {
      const rows = await findApplications(database, { status: query.status, text: query.q }, query);
      return { status: 200, body: toPage(rows.map(toApplicationView), query.limit) };
    },
  });
}
