// Mails in the shapes of the client, over the operations of /api/v1/emails.
import { z } from 'zod';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import type { attachmentView } from '../emails/list-email-attachments.ts';
import { invalidFields } from '../faults.ts';
import type { Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { clientBatch } from './batch.ts';
import { toAccepted, toClientEmail, toListEmail } from './email-answer.ts';
import { inClientsNames, toEmailDraft, toSchedule } from './email-request.ts';
import { listQuery, toList } from './list.ts';
import { mount } from './mount.ts';
import { remoteFiles } from './remote-files.ts';

const scheduledAtIsMissing = { in: 'body', pointer: '#/scheduled_at', detail: 'is required' } as const;

const emailPath = z.strictObject({ id: z.uuid() });

const toState = ({ id }: { id: string }) => ({ object: 'email', id });

/** @param engine finds an operation of the API */
export function clientEmails(engine: (id: string) => Operation, policy: AddressPolicy): Operation[] {
  const prepare = remoteFiles(policy);
  const send = (id: string, path: string) =>
    mount(engine('sendEmail'), {
      id,
      path,
      takesOctets: true,
      prepare,
      ask: async ({ body }, now) => ({ body: await toEmailDraft(body, now) }),
      tell: toAccepted,
      rename: inClientsNames,
    });
  return [
    send('resend.emails.send', '/resend/emails'),
    // The first versions of the client.
    send('resend.sendEmail', '/resend/email'),
    clientBatch(engine('sendEmails'), prepare),
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
    mount(engine('listEmailAttachments'), {
      id: 'resend.emails.attachments.list',
      path: '/resend/emails/{id}/attachments',
      params: emailPath,
      query: listQuery,
      tell: ({ data }: Attachments) => ({
        object: 'list',
        has_more: false,
        data: data.map(toAttachmentData),
      }),
    }),
    mount(engine('listEmailAttachments'), {
      id: 'resend.emails.attachments.get',
      path: '/resend/emails/{id}/attachments/{attachment_id}',
      params: z.strictObject({ ...emailPath.shape, attachment_id: z.string() }),
      ask: ({ path }) => ({ path: { id: (path as { id: string }).id } }),
      tell: ({ data }: Attachments, { path }) => {
        const wanted = (path as { attachment_id: string }).attachment_id;
        const found = data.find(({ index }) => String(index) === wanted);
        if (!found) throw new Problem('not-found', `This email has no attachment ${wanted.slice(0, 100)}.`);
        return { object: 'attachment', ...toAttachmentData(found) };
      },
    }),
    mount(engine('cancelEmail'), {
      id: 'resend.emails.cancel',
      path: '/resend/emails/{id}/cancel',
      params: emailPath,
      tell: toState,
    }),
  ];
}

type Attachments = { readonly data: readonly z.output<typeof attachmentView>[] };

/** Without a `download_url`: there is none that would work without a key. */
const toAttachmentData = (file: Attachments['data'][number]) => ({
  id: String(file.index),
  filename: file.filename,
  size: file.size,
  content_type: file.content_type,
  content_disposition: file.content_id === null ? 'attachment' : 'inline',
  ...(file.content_id !== null && { content_id: file.content_id }),
});

async function toChange(body: unknown, now: () => Promise<Date>): Promise<unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const { scheduled_at, ...same } = body as Readonly<Record<string, unknown>>;
  if (typeof scheduled_at !== 'string') throw invalidFields([scheduledAtIsMissing]);
  return { ...same, ...(await toSchedule(scheduled_at, now)) };
}
