// GET /api/v1/client/{client_id}/scheduled-emails: what is scheduled for one client, soonest first.
import type { Database } from '../../deploy/database.ts';
import { emailListItem } from '../emails/email.ts';
import { pageOf } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { clientPath } from './email-config.ts';
import { findScheduled, scheduledEmailQuery } from './scheduled-email.ts';

export function listScheduledEmailsOfClient({ database }: { database: Database }): Operation {
  return reads({
    id: 'listScheduledEmailsOfClient',
    method: 'get',
    path: '/api/v1/client/{client_id}/scheduled-emails',
    tag: 'Scheduling',
    summary: "List a client's scheduled emails, soonest first",
    scope: 'read',
    params: clientPath,
    query: scheduledEmailQuery,
    answers: { 200: { description: 'A page of emails.', schema: pageOf(emailListItem) } },
    handle: ({ path, query, principal }) => findScheduled(database, query, principal, path.client_id),
  });
}
