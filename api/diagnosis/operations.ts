// Whether mail can leave, and why not: answered from what the relay process reported, never from this process.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { emailStatus } from '../../relay/client/heartbeat.ts';
import { instant } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';

const statusView = z
  .strictObject({
    configured: z.boolean(),
    missing: z.array(z.string()).meta({ description: 'Required variables that are missing or blank.' }),
    hint: z.string().optional(),
    relay: z.enum(['running', 'silent', 'never seen']),
    scheduler: z.strictObject({ running: z.boolean(), last_tick: instant.nullable() }),
  })
  .meta({ id: 'EmailStatus' });

export function diagnosisOperations({ database }: { database: Database }): Operation[] {
  return [
    reads({
      id: 'getEmailStatus',
      method: 'get',
      path: '/api/v1/email-status',
      tag: 'Diagnosis',
      summary: 'Whether mail is configured, as the relay process saw it at its start',
      scope: 'public',
      answers: {
        200: {
          description: 'Configured, or what is missing. Secrets never.',
          schema: statusView,
          example: {
            configured: false,
            missing: ['SMTP_HOST', 'SMTP_PASSWORD'],
            hint: "Set these in your deployment platform's environment variables (e.g. Coolify, Render), not only in .env.",
            relay: 'running',
            scheduler: { running: true, last_tick: '2026-03-01T09:00:00.000Z' },
          },
        },
      },
      async handle() {
        const { configured, missing, hint, relay, scheduler } = await emailStatus(database);
        return {
          status: 200,
          body: {
            configured,
            missing,
            ...(hint !== undefined && { hint }),
            relay,
            scheduler: { running: scheduler.running, last_tick: scheduler.lastTick?.toISOString() ?? null },
          },
        };
      },
    }),
  ];
}
