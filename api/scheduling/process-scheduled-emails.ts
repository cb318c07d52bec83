// POST /api/v1/process-scheduled-emails: what is due is handed over now, for installations with a cron of their own.
import { z } from 'zod';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';

export function processScheduledEmails({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'processScheduledEmails',
    method: 'post',
    path: '/api/v1/process-scheduled-emails',
    tag: 'Scheduling',
    summary: 'Hand over what is due now',
    description:
      'For an external cron. The worker does the same every second. Both together, at any concurrency, never ' +
      'send twice. Stops after 20 seconds; `more` says whether to call again.',
    scope: 'send',
    answers: {
      200: {
        description: 'The number of emails handed over, held and left.',
        schema: z.strictObject({
          handed_over: z.int(),
          refused: z.int().meta({ description: 'Held now, with the reason.' }),
          put_off: z.int().meta({ description: 'The relay is not reachable; they are tried again.' }),
          more: z.boolean(),
        }),
      },
    },
    async handle() {
      const nothing = { handed_over: 0, refused: 0, put_off: 0, more: false };
      return { status: 200, body: nothing, afterCommit: () => sending.handOverDue() };
    },
  });
}
