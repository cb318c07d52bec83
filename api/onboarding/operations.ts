// The operations on applications, in the order of the description. Every refusal says which request leads on.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { approveApplication } from './approve-application.ts';
import { archiveApplication } from './archive-application.ts';
import { deleteApplication } from './delete-application.ts';
import { getApplication } from './get-application.ts';
import { listApplications } from './list-applications.ts';
import { rejectApplication } from './reject-application.ts';
import { submitApplication } from './submit-application.ts';
import { updateApplication } from './update-application.ts';

export const onboardingOperations = (given: {
  database: Database;
  sending: Sending;
  publicUrl: string;
}): Operation[] => [
  submitApplication(),
  listApplications(given),
  getApplication(given),
  updateApplication(),
  approveApplication(given),
  rejectApplication(given),
  archiveApplication(),
  deleteApplication(),
];
