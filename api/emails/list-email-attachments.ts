// GET /api/v1/emails/{id}/attachments: which files an email has.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { openAttachments } from '../../relay/client/email/attachment.ts';
import { type Operation, reads } from '../operation.ts';
import { readOwn } from './owner.ts';
import { emailPath } from './state.ts';

export const attachmentView = z
  .strictObject({
    index: z.int().min(0).meta({ description: 'Its place among the attachments.' }),
    filename: z.string().meta({ examples: ['receipt.pdf'] }),
    content_type: z.string().meta({ examples: ['application/pdf'] }),
    content_id: z
      .string()
      .nullable()
      .meta({ examples: ['logo'] }),
    size: z.int().min(0).meta({ description: 'In bytes.' }),
  })
  .meta({ id: 'Attachment' });

export function listEmailAttachments({ database }: { database: Database }): Operation {
  return reads({
    id: 'listEmailAttachments',
    method: 'get',
    path: '/api/v1/emails/{id}/attachments',
    tag: 'Emails',
    summary: 'List the attachments of an email',
    description:
      'Names, types and sizes, for whoever may read the email; not the files themselves. Empty once the content was removed.',
    scope: 'send',
    params: emailPath,
    answers: {
      200: {
        description: 'Its attachments, in their order.',
        schema: z.strictObject({ data: z.array(attachmentView) }),
      },
    },
    async handle({ path, principal }) {
      await readOwn(database, path.id, principal);
      const files = await openAttachments(database, path.id);
      const data = files.map(({ filename, contentType, contentId, size }, index) => ({
        index,
        filename,
        content_type: contentType,
        content_id: contentId ?? null,
        size,
      }));
      return { status: 200, body: { data } };
    },
  });
}
