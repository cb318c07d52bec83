// The operations on scheduled emails, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { cancelScheduledEmail } from './cancel-scheduled-email.ts';
import { deleteScheduledEmail } from './delete-scheduled-email.ts';
import { getEmailConfig } from './get-email-config.ts';
import { getScheduledEmail } from './get-scheduled-email.ts';
import { listScheduledEmails } from './list-scheduled-emails.ts';
import { listScheduledEmailsOfClient } from './list-scheduled-emails-of-client.ts';
import { processScheduledEmails } from './process-scheduled-emails.ts';
import { saveEmailConfig } from './save-email-config.ts';
import { sendScheduledEmailNow } from './send-scheduled-email-now.ts';
import { updateScheduledEmail } from './update-scheduled-email.ts';

export const schedulingOperations = (given: { database: Database; sending: Sending }): Operation[] => [
  saveEmailConfig(given),
  getEmailConfig(given),
  listScheduledEmails(given),
  listScheduledEmailsOfClient(given),
  getScheduledEmail(given),
  updateScheduledEmail(),
  sendScheduledEmailNow(given),
  cancelScheduledEmail(),
  deleteScheduledEmail(),
  processScheduledEmails(given),
];
