// Single mails: asked for, looked up, and their way told step by step.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { readDeliveries, readEmail } from '../../relay/client/email.ts';
import { readTimeline } from '../../relay/client/timeline.ts';
import { allows } from '../authenticate.ts';
import { id } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import { emailView, eventView, toEmailView, toEventView } from './email.ts';

const emailPath = z.strictObject({ id });

const tag = 'Emails';

export function emailOperations({ database }: { database: Database }): Operation[] {
  return [
    reads({
      id: 'getEmail',
      method: 'get',
      path: '/api/v1/emails/{id}',
      tag,
      summary: 'Read a mail and what became of each recipient',
      description: '`sent` means that the provider took responsibility for it; more is not known.',
      scope: 'read',
      params: emailPath,
      answers: { 200: { description: 'The mail.', schema: emailView } },
      async handle({ path, principal }) {
        const email = await readEmail(database, path.id);
        if (!email) throw noSuchEmail(path.id);
        const deliveries = await readDeliveries(database, path.id);
        const body = toEmailView(email, deliveries, { showsBodies: allows(principal, 'send') });
        return { status: 200, body, headers: { etag: `"${email.revision}"` } };
      },
    }),

    reads({
      id: 'listEmailEvents',
      method: 'get',
      path: '/api/v1/emails/{id}/events',
      tag,
      summary: 'Read the timeline of a mail, oldest first',
      description: 'Every attempt with its route, stage, reply and durations.',
      scope: 'read',
      params: emailPath,
      answers: {
        200: { description: 'The timeline.', schema: z.strictObject({ data: z.array(eventView) }) },
      },
      async handle({ path }) {
        const events = await readTimeline(database, path.id);
        // Every mail has at least its `created` event.
        if (events.length === 0) throw noSuchEmail(path.id);
        return { status: 200, body: { data: events.map(toEventView) } };
      },
    }),
  ];
}

export const noSuchEmail = (id: string) => new Problem('not-found', `There is no mail ${id}.`);
