// POST /api/admin/onboarding/applications/{id}/archive: put away; its customer stays.
import { changes, type Operation } from '../operation.ts';
import { applicationPath, declareApplication, oneApplication, toApplicationView } from './application.ts';
import { archiveApplicationRow, findApplication } from './store.ts';

export function archiveApplication(): Operation {
  return changes({
    id: 'archiveApplication',
    method: 'post',
    path: `${oneApplication}/archive`,
    tag: 'Onboarding',
    summary: 'Archive an application',
    description: 'Its customer account, if it has one, stays. Archiving it again changes nothing.',
    scope: 'admin',
    params: applicationPath,
    answers: declareApplication('Archived.'),
    async handle({ path }, tx) {
      await findApplication(tx, path.id, { lock: true });
      await archiveApplicationRow(tx, path.id);
      return { status: 200, body: toApplicationView(await findApplication(tx, path.id)) };
    },
  });
}
