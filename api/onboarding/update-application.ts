// PATCH /api/admin/onboarding/applications/{id}: a correction or a note.
import { changes, type Operation } from '../operation.ts';
import {
  applicationChange,
  applicationPath,
  declareApplication,
  oneApplication,
  toApplicationView,
  wrongApplicationState,
} from './application.ts';
import { findApplication, updateApplicationRow } from './store.ts';

export function updateApplication(): Operation {
  return changes({
    id: 'updateApplication',
    method: 'patch',
    path: oneApplication,
    tag: 'Onboarding',
    summary: 'Correct an application or its note',
    description:
      'The data of the applicant can be corrected until the application is decided, the note at any time.',
    scope: 'admin',
    params: applicationPath,
    body: applicationChange,
    bodyExample: { note: 'Called them on Monday.' },
    answers: declareApplication('The application as it is now.'),
    problems: ['application-state'],
    async handle({ path, body }, tx) {
      const row = await findApplication(tx, path.id, { lock: true });
      const { note, ...facts } = body;
      if (Object.keys(facts).length > 0 && row.status !== 'submitted') {
        throw wrongApplicationState(row, 'Only its note can be changed now.');
      }
      await updateApplicationRow(tx, { ...row, ...body });
      return { status: 200, body: toApplicationView(await findApplication(tx, path.id)) };
    },
  });
}
