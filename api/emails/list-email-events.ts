// GET /api/v1/emails/{id}/events: the timeline of an email.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { readTimeline } from '../../relay/client/email/timeline.ts';
import { type Operation, reads } from '../operation.ts';
import { eventView, toEventView } from './email.ts';
import { readVisible } from './owner.ts';
import { emailPath } from './state.ts';

export function listEmailEvents({ database }: { database: Database }): Operation {
  return reads({
    id: 'listEmailEvents',
    method: 'get',
    path: '/api/v1/emails/{id}/events',
    tag: 'Emails',
    summary: 'Read the timeline of an email, oldest first',
    description: 'Every attempt with its route, stage, reply and durations.',
    scope: 'read',
    params: emailPath,
    answers: {
      200: { description: 'The timeline.', schema: z.strictObject({ data: z.array(eventView) }) },
    },
    async handle({ path, principal }) {
      await readVisible(database, path.id, principal);
      const events = await readTimeline(database, path.id);
      return { status: 200, body: { data: events.map(toEventView) } };
    },
  });
}
