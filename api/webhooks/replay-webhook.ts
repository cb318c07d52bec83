// POST /api/v1/webhooks/{id}/replay: everything since a time again.
import { z } from 'zod';
import { mostReplayed, replaySince } from '../../relay/client/webhook/delivery.ts';
import { findWebhook } from '../../relay/client/webhook/webhook.ts';
import { id, time } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { noWebhook } from './missing.ts';

const over = ['delivered', 'failed'] as const;

export function replayWebhook(): Operation {
  return changes({
    id: 'replayWebhook',
    method: 'post',
    path: '/api/v1/webhooks/{id}/replay',
    tag: 'Webhooks',
    summary: 'Deliver events again that were written since a time',
    description:
      `Oldest first, at most ${mostReplayed} at once: while \`has_more\` is true, send the request again. ` +
      'What still waits is not touched.',
    scope: 'admin',
    params: z.strictObject({ id }),
    body: z
      .strictObject({
        since: time,
        status: z
          .enum(over)
          .optional()
          .meta({ description: 'Without it both: what was delivered, and what failed for good.' }),
      })
      .meta({ id: 'WebhookReplay' }),
    bodyExample: { since: '2026-03-01T09:00:00Z', status: 'failed' },
    answers: {
      202: {
        description: 'They are due now.',
        schema: z.strictObject({ replayed: z.int().min(0), has_more: z.boolean() }),
      },
    },
    async handle({ path, body }, tx) {
      if (!(await findWebhook(tx, path.id))) throw noWebhook(path.id);
      const statuses = body.status ? [body.status] : over;
      const replayed = await replaySince(tx, path.id, { since: body.since, statuses });
      return { status: 202, body: { replayed, has_more: replayed === mostReplayed } };
    },
  });
}
