// GET /api/v1/domains: what DNS says of the domains that mail is sent from.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { listDomains as readDomains } from '../../relay/client/status/domains.ts';
import { type Operation, reads } from '../operation.ts';
import { domainView, viewDomains } from './domain-view.ts';

export function listDomains({ database }: { database: Database }): Operation {
  return reads({
    id: 'listDomains',
    method: 'get',
    path: '/api/v1/domains',
    tag: 'Diagnosis',
    summary: "SPF, DKIM, DMARC and MX of the senders' domains",
    description:
      'The domains of SMTP_FROM_EMAIL and SMTP_ALLOWED_SENDERS, as the relay found them at its last look: daily, and when somebody asks.',
    scope: 'read',
    answers: {
      200: {
        description: 'Each domain with its findings.',
        schema: z.strictObject({ data: z.array(domainView).max(100) }).meta({ id: 'SenderDomains' }),
      },
    },
    async handle() {
      return { status: 200, body: { data: await viewDomains(database, await readDomains(database)) } };
    },
  });
}
