// GET /api/v1/email-status: whether emails can leave, for anybody.
import type { Database } from '../../deploy/database.ts';
import { type Operation, reads } from '../operation.ts';
import { emailStatusView, missingVariablesHint, readEmailStatus } from './email-status.ts';

export function getEmailStatus({ database }: { database: Database }): Operation {
  // Anybody may ask, and as often as they like: all who ask at the same time share one look.
  let looking: ReturnType<typeof readEmailStatus> | undefined;
  const readTogether = () => {
    looking ??= readEmailStatus(database).finally(() => {
      looking = undefined;
    });
    return looking;
  };

  return reads({
    id: 'getEmailStatus',
    method: 'get',
    path: '/api/v1/email-status',
    tag: 'Diagnosis',
    summary: 'Whether mail is configured, as the relay read it at its start',
    scope: 'public',
    answers: {
      200: {
        description: 'Configured, or what is missing. Never secrets.',
        schema: emailStatusView,
        example: {
          configured: false,
          missing: ['SMTP_HOST', 'SMTP_PASSWORD'],
          hint: missingVariablesHint,
          relay: 'running',
          scheduler: { running: true, last_tick: '2026-03-01T09:00:00.000Z' },
          preflight: {
            ok: false,
            at: '2026-03-01T09:00:00.000Z',
            stage: 'config',
            cause: 'env-missing',
            title: 'A mail setting is missing',
          },
          waiting_for: null,
        },
      },
    },
    async handle() {
      return { status: 200, body: await readTogether() };
    },
  });
}
