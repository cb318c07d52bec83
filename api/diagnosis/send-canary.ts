// POST /api/v1/domains/{domain}/canary: a mail to oneself that the relay reads back.
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { askCanary, canaryPauseMinutes } from '../../relay/client/status/canaries.ts';
import { emailStatus, type RelayReport } from '../../relay/client/status/heartbeat.ts';
import { instant } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';

export function sendCanary(): Operation {
  return changes({
    id: 'sendCanary',
    method: 'post',
    path: '/api/v1/domains/{domain}/canary',
    tag: 'Diagnosis',
    summary: 'Send a mail to yourself and read it back',
    description:
      'The relay sends a mail from this domain to the mailbox of BOUNCE_IMAP and to the addresses in CANARY_TO, and reads in that mailbox into which folder it came and what the receiver says of SPF, DKIM and DMARC. ' +
      `The result stands in GET /api/v1/domains. At most once in ${canaryPauseMinutes} minutes. The mail stays in the mailbox, or is moved to BOUNCE_IMAP_MOVE_TO.`,
    scope: 'admin',
    params: z.strictObject({ domain: z.string().min(1).max(255) }),
    answers: {
      202: {
        description: 'A relay was asked to send it.',
        schema: z.strictObject({ domain: z.string(), asked_at: instant }).meta({ id: 'CanaryAsked' }),
      },
    },
    problems: ['not-found', 'canary-unavailable'],
    async handle({ path }, tx) {
      const domain = domainToASCII(path.domain.toLowerCase().replace(/\.$/, ''));
      const { report } = await emailStatus(tx);
      const asked = await askCanary(tx, domain);
      if (asked === undefined) {
        throw new Problem(
          'not-found',
          `${path.domain} is no domain of a sender. Those are in SMTP_FROM_EMAIL and SMTP_ALLOWED_SENDERS.`,
        );
      }
      const obstacle = obstacleTo(domain, report);
      if (obstacle !== undefined) throw new Problem('canary-unavailable', obstacle);
      if (asked === 'too-soon') {
        throw new Problem(
          'canary-unavailable',
          `The last one was sent less than ${canaryPauseMinutes} minutes ago. Its result stands in GET /api/v1/domains.`,
        );
      }
      return { status: 202, body: { domain, asked_at: asked.toISOString() } };
    },
  });
}

function obstacleTo(domain: string, report: RelayReport | undefined): string | undefined {
  if (report?.mailbox === undefined) {
    return 'The relay reads no mailbox, so it could not see the mail come back. Set BOUNCE_IMAP=on, or BOUNCE_IMAP_HOST.';
  }
  const senders = [report.from, ...report.allowed_senders].filter((sender) => sender !== undefined);
  const isFull = senders.some(
    (sender) =>
      !sender.startsWith('*') && domainToASCII(sender.slice(sender.lastIndexOf('@') + 1)) === domain,
  );
  return isFull
    ? undefined
    : `No sender of ${domain} is a full address. Name one in SMTP_ALLOWED_SENDERS, beside *@${domain}.`;
}
