// DELETE /api/v1/scheduled-emails/{id}: the same as cancelling it.
import { changes, type Operation } from '../operation.ts';
import { cancellation } from './cancel-scheduled-email.ts';

export function deleteScheduledEmail(): Operation {
  return changes({
    id: 'deleteScheduledEmail',
    method: 'delete',
    path: '/api/v1/scheduled-emails/{id}',
    tag: 'Scheduling',
    summary: 'Cancel a scheduled email (the same as POST …/cancel)',
    ...cancellation,
  });
}
