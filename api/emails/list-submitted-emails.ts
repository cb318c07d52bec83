// GET /api/v1/submitted-emails: mail that applications submitted over SMTP, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import { findSubmitted } from '../dashboard/submitted.ts';
import { instant, pageOf, pageQuery } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { apiKeyView } from './email.ts';
import { withoutLink } from './invitation-link.ts';
import { listedFor } from './owner.ts';

const submittedEmail = z
  .strictObject({
    id: z.string().meta({ description: 'The queue id of the relay.' }),
    api_key: apiKeyView.nullable().meta({ description: 'The key that the application logged in with.' }),
    credential: z.string().meta({
      description: '`key:ID`, a name of RELAY_USERS, or the trusted network that it came from.',
    }),
    mail_from: z.string().meta({ description: 'Empty for a notice.' }),
    from: z.string(),
    message_id: z.string(),
    size: z.int(),
    again_of: z.string().nullable().meta({ description: 'The mail that this one sends again.' }),
    received_at: instant,
    recipients: z
      .array(
        z.strictObject({
          address: z.string(),
          status: z.enum(statuses),
          reason: z.string().nullable(),
          reply: z.string().nullable(),
        }),
      )
      .meta({ description: 'At most 100; those that need a person come first.' }),
  })
  .meta({ id: 'SubmittedEmail' });

export function listSubmittedEmails({ database }: { database: Database }): Operation {
  return reads({
    id: 'listSubmittedEmails',
    method: 'get',
    path: '/api/v1/submitted-emails',
    tag: 'Emails',
    summary: 'List mail that was submitted over SMTP, newest first',
    description: 'A key with the scope send alone sees only its own.',
    scope: 'read',
    query: z.strictObject({
      ...pageQuery,
      after: z
        .string()
        .regex(/^[0-9A-Z]{16}$/, 'must be the `next` of the previous page')
        .optional()
        .meta({ description: 'The `next` of the previous page.' }),
      api_key: z.uuid('must be the id of a key').optional().meta({ description: 'What this key sent.' }),
    }),
    answers: { 200: { description: 'A page of mail.', schema: pageOf(submittedEmail) } },
    async handle({ query, principal }) {
      const { data, ...page } = await findSubmitted(database, {
        limit: query.limit,
        after: query.after,
        keyId: listedFor(principal, query.api_key),
      });
      return { status: 200, body: { ...page, data: data.map(toView) } };
    },
  });
}

type Found = Awaited<ReturnType<typeof findSubmitted>>['data'][number];

const toView = (row: Found): z.output<typeof submittedEmail> => ({
  id: row.id,
  api_key: row.api_key,
  credential: row.credential,
  mail_from: row.sender,
  from: row.header_from,
  message_id: row.message_id,
  size: row.size,
  again_of: row.again_of,
  received_at: row.received_at.toISOString(),
  recipients: (row.recipients ?? []).map(({ address, status, reason, reply }) => ({
    address,
    status,
    reason,
    reply: reply && withoutLink(reply),
  })),
});
