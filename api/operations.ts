// Every operation of the API in one list: what app.ts serves and openapi/ describes.
import type { Database } from '../deploy/database.ts';
import { audited } from './audit/audited.ts';
import { listAudit } from './audit/list-audit.ts';
import { customerOperations } from './customers/operations.ts';
import { diagnosisOperations } from './diagnosis/operations.ts';
import { emailOperations } from './emails/operations.ts';
import { keyOperations } from './keys/operations.ts';
import { onboardingOperations } from './onboarding/operations.ts';
import type { Operation } from './operation.ts';
import { peopleOperations } from './people/operations.ts';
import { recipientOperations } from './recipients/operations.ts';
import { schedulingOperations } from './scheduling/operations.ts';
import type { Sending } from './sending.ts';
import { suppressionOperations } from './suppressions/operations.ts';
import { templateOperations } from './templates/operations.ts';
import { webhookOperations } from './webhooks/operations.ts';

export function allOperations(given: {
  database: Database;
  sending: Sending;
  publicUrl: string;
  /** The provider's variables that this process sees. */
  providerVariables: readonly string[];
  /** CIDRs of WEBHOOK_ALLOW_PRIVATE. */
  webhookAllowPrivate?: readonly string[];
}): Operation[] {
  const operations = [
    ...customerOperations(given),
    ...emailOperations(given),
    ...schedulingOperations(given),
    ...recipientOperations(),
    ...onboardingOperations(given),
    ...templateOperations(given),
    ...webhookOperations(given),
    ...suppressionOperations(given),
    ...keyOperations(given),
    ...peopleOperations(given),
    listAudit(given),
    ...diagnosisOperations(given),
  ];
  return operations.map((operation) => audited(operation, given.database));
}
