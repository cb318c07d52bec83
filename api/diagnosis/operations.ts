// The operations that tell whether emails can leave, and why not: answered from what the relay process reported, never
// from this process.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { checkDomain } from './check-domain.ts';
import { getEmailStatus } from './get-email-status.ts';
import { getTestEmailConfig } from './get-test-email-config.ts';
import { listDomains } from './list-domains.ts';
import { listUnknownReplies } from './list-unknown-replies.ts';
import { sendCanary } from './send-canary.ts';
import { sendTestEmail } from './send-test-email.ts';

export const diagnosisOperations = (given: {
  database: Database;
  sending: Sending;
  providerVariables: readonly string[];
}): Operation[] => [
  getEmailStatus(given),
  getTestEmailConfig(given),
  listDomains(given),
  checkDomain(given),
  sendCanary(),
  listUnknownReplies(given),
  sendTestEmail(given),
];
