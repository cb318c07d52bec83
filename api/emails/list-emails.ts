// GET /api/v1/emails: emails by their properties, a page at a time.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { listEmails as readEmailList } from '../../relay/client/email/list.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import { addressQuery } from '../dashboard/search-words.ts';
import { invalidFields } from '../faults.ts';
import { address, line, listOf, pageOf, pageQuery, time } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import type { Fault } from '../problem.ts';
import { stream, tagQuery } from '../tags.ts';
import { emailKinds, emailListItem, toEmailPage } from './email.ts';
import { listedFor } from './owner.ts';

export function listEmails({ database }: { database: Database }): Operation {
  return reads({
    id: 'listEmails',
    method: 'get',
    path: '/api/v1/emails',
    tag: 'Emails',
    summary: 'Find emails, newest first',
    description: 'All given filters apply. A key with the scope send alone sees only its own emails.',
    scope: 'read',
    query: z.strictObject({
      ...pageQuery,
      before: z
        .uuid('must be the id of the first email of a page')
        .optional()
        .meta({
          description:
            'The id of the first email of a page: reads the page before it, which has newer emails; `has_more` ' +
            'then says whether there are newer ones still. Not together with `after`.',
        }),
      status: listOf(statuses).optional().meta({ description: 'One status, or several with commas.' }),
      kind: listOf(emailKinds).optional().meta({ description: 'One kind, or several with commas.' }),
      recipient: address.optional(),
      api_key: z.uuid('must be the id of a key').optional().meta({ description: 'What this key asked for.' }),
      customer_id: z.uuid('must be the id of a customer').optional(),
      client_id: line(200).optional(),
      tag: tagQuery.optional(),
      stream: stream.optional().meta({ description: 'Mail of this stream.' }),
      q: line(200).optional().meta({ description: 'Searches the subject.' }),
      created_from: time.optional(),
      created_before: time.optional(),
      due_from: time.optional(),
      due_before: time.optional(),
    }),
    answers: { 200: { description: 'A page of emails.', schema: pageOf(emailListItem) } },
    async handle({ query, principal }) {
      if (query.before !== undefined && query.after !== undefined) throw invalidFields([bothCursors]);
      const filter = {
        apiKeyId: listedFor(principal, query.api_key),
        statuses: query.status,
        kinds: query.kind,
        recipient: query.recipient,
        recipientWords: query.recipient && addressQuery(query.recipient),
        customerId: query.customer_id,
        clientId: query.client_id,
        tag: query.tag,
        stream: query.stream,
        subject: query.q,
        createdFrom: query.created_from,
        createdBefore: query.created_before,
        dueFrom: query.due_from,
        dueBefore: query.due_before,
      };
      return { status: 200, body: toEmailPage(await readEmailList(database, filter, query)) };
    },
  });
}

const bothCursors: Fault = {
  in: 'query',
  pointer: '#/before',
  detail: 'must not stand beside after: a page is read in one direction',
};
