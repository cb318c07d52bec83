// GET /api/v1/scheduled-emails: what is scheduled, soonest first.
import type { Database } from '../../deploy/database.ts';
import { emailListItem } from '../emails/email.ts';
import { pageOf } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { findScheduled, scheduledEmailQuery } from './scheduled-email.ts';

export function listScheduledEmails({ database }: { database: Database }): Operation {
  return reads({
    id: 'listScheduledEmails',
    method: 'get',
    path: '/api/v1/scheduled-emails',
    tag: 'Scheduling',
    summary: 'List scheduled emails, soonest first',
    scope: 'read',
    query: scheduledEmailQuery,
    answers: { 200: { description: 'A page of emails.', schema: pageOf(emailListItem) } },
    handle: ({ query, principal }) => findScheduled(database, query, principal),
  });
}
