// The operations on single emails, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { cancelEmail } from './cancel-email.ts';
import { getEmail } from './get-email.ts';
import { listEmailAttachments } from './list-email-attachments.ts';
import { listEmailEvents } from './list-email-events.ts';
import { listEmails } from './list-emails.ts';
import { listSubmittedEmails } from './list-submitted-emails.ts';
import { resolveEmail } from './resolve-email.ts';
import { retryEmail } from './retry-email.ts';
import { sendEmail } from './send-email.ts';
import { sendEmailAgain } from './send-email-again.ts';
import { sendEmails } from './send-emails.ts';
import { sendSubmittedEmailAgain } from './send-submitted-email-again.ts';

export const emailOperations = (given: { database: Database; sending: Sending }): Operation[] => [
  sendEmail(given),
  sendEmails(given),
  listEmails(given),
  getEmail(given),
  listEmailEvents(given),
  listEmailAttachments(given),
  listSubmittedEmails(given),
  cancelEmail(),
  retryEmail(),
  resolveEmail(),
  sendEmailAgain(given),
  sendSubmittedEmailAgain(),
];
