// GET /api/v1/domains/{domain}/check: a fresh look at what DNS says of a sender's domain.
import { setTimeout as pause } from 'node:timers/promises';
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { askDomain, readDomain } from '../../relay/client/status/domains.ts';
import { type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import { domainView, viewDomains } from './domain-view.ts';

const pollEveryMs = 250;
// Silent name servers cost five seconds for each question, and a few follow one upon the other.
const answeredWithinMs = 30_000;

export function checkDomain({ database }: { database: Database }): Operation {
  return reads({
    id: 'checkDomain',
    method: 'get',
    path: '/api/v1/domains/{domain}/check',
    tag: 'Diagnosis',
    summary: "Look at the DNS of a sender's domain now",
    description:
      'Waits up to 30 seconds for a relay to look. A name server that fails is `unknown`, never "missing".',
    scope: 'read',
    params: z.strictObject({ domain: z.string().min(1).max(255) }),
    answers: { 200: { description: 'What was found just now.', schema: domainView } },
    problems: ['not-found', 'busy'],
    async handle({ path, gone }) {
      const domain = domainToASCII(path.domain.toLowerCase().replace(/\.$/, ''));
      const asked = await askDomain(database, domain);
      if (!asked) {
        throw new Problem(
          'not-found',
          `${path.domain} is no domain of a sender. Those are in SMTP_FROM_EMAIL and SMTP_ALLOWED_SENDERS.`,
        );
      }
      const began = performance.now();
      while (!gone.aborted && performance.now() - began < answeredWithinMs) {
        const found = await readDomain(database, domain, asked);
        if (found) return { status: 200, body: (await viewDomains(database, [found]))[0] };
        await pause(pollEveryMs);
      }
      throw new Problem('busy', 'No relay has looked within 30 seconds. Is one running?');
    },
  });
}
