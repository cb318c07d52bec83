// Mails in the shapes of the client, over the operations of /api/v1/emails.
import { z } from 'zod';
import { invalidFields } from '../faults.ts';
import type { Operation } from '../operation.ts';
import { clientBatch } from './batch.ts';
import { toAccepted, toClientEmail, toListEmail } from './email-answer.ts';
import { inClientsNames, toEmailDraft, toSchedule } from './email-request.ts';
import { listQuery, toList } from './list.ts';
import { mount } from './mount.ts';

const scheduledAtIsMissing = { in: 'body', pointer: '#/scheduled_at', detail: 'is required' } as const;

const emailPath = z.strictObject({ id: z.uuid() });

const toState = ({ id }: { id: string }) => ({ object: 'email', id });

/** @param engine finds an operation of the API */
export function clientEmails(engine: (id: string) => Operation): Operation[] {
  const send = (id: string, path: string) =>
    mount(engine('sendEmail'), {
      id,
      path,
      ask: async ({ body }, now) => ({ body: await toEmailDraft(body, now) }),
      tell: toAccepted,
      rename: inClientsNames,
    });
  return [
    send('resend.emails.send', '/resend/emails'),
    // The first versions of the client.
    send('resend.sendEmail', '/resend/email'),
    clientBatch(engine('sendEmails')),
    mount(engine('listEmails'), {
      id: 'resend.emails.list',
      path: '/resend/emails',
      query: listQuery,
      ask: ({ query }) => ({ query }),
      tell: toList(toListEmail),
    }),
    mount(engine('getEmail'), {
      id: 'resend.emails.get',
      path: '/resend/emails/{id}',
      params: emailPath,
      tell: toClientEmail,
    }),
    mount(engine('updateScheduledEmail'), {
      id: 'resend.emails.update',
      path: '/resend/emails/{id}',
      params: emailPath,
      ask: async ({ path, body }, now) => ({ path, body: await toChange(body, now) }),
      tell: ({ id, scheduled_datetime }) => ({ ...toState({ id }), scheduled_at: scheduled_datetime }),
      rename: inClientsNames,
    }),
    mount(engine('cancelEmail'), {
      id: 'resend.emails.cancel',
      path: '/resend/emails/{id}/cancel',
      params: emailPath,
      tell: toState,
    }),
  ];
}

async function toChange(body: unknown, now: () => Promise<Date>): Promise<unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const { scheduled_at, ...same } = body as Readonly<Record<string, unknown>>;
  if (typeof scheduled_at !== 'string') throw invalidFields([scheduledAtIsMissing]);
  return { ...same, ...(await toSchedule(scheduled_at, now)) };
}
