// GET /api/admin/onboarding/applications/{id}: one application.
import type { Database } from '../../deploy/database.ts';
import { type Operation, reads } from '../operation.ts';
import { applicationPath, declareApplication, oneApplication, toApplicationView } from './application.ts';
import { findApplication } from './store.ts';

export function getApplication({ database }: { database: Database }): Operation {
  return reads({
    id: 'getApplication',
    method: 'get',
    path: oneApplication,
    tag: 'Onboarding',
    summary: 'Read an application',
    scope: 'admin',
    params: applicationPath,
    answers: declareApplication('The application.'),
    async handle({ path }) {
      return { status: 200, body: toApplicationView(await findApplication(database, path.id)) };
    },
  });
}
