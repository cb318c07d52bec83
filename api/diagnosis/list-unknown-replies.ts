// GET /api/v1/unknown-replies: what providers said that no rule knows.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { listUnknownReplies as readUnknownReplies } from '../../relay/client/status/unknown-replies.ts';
import { instant } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';

const unknownRepliesView = z
  .strictObject({
    data: z
      .array(
        z.strictObject({
          template: z
            .string()
            .meta({ description: 'The reply, with `<address>`, `<host>`, `<id>` for what varies.' }),
          cause: z.string(),
          seen: z.int(),
          first_at: instant,
          last_at: instant,
        }),
      )
      .max(200),
  })
  .meta({ id: 'UnknownReplies' });

export function listUnknownReplies({ database }: { database: Database }): Operation {
  return reads({
    id: 'listUnknownReplies',
    method: 'get',
    path: '/api/v1/unknown-replies',
    tag: 'Diagnosis',
    summary: 'Replies that no rule knows, for a report to the authors of Postern',
    description: 'The newest 200, without addresses, hosts and ids. Only their code was used.',
    scope: 'admin',
    answers: { 200: { description: 'Each wording once.', schema: unknownRepliesView } },
    async handle() {
      const replies = await readUnknownReplies(database);
      const data = replies.map(({ template, cause, seen, firstAt, lastAt }) => ({
        template,
        cause,
        seen,
        first_at: firstAt.toISOString(),
        last_at: lastAt.toISOString(),
      }));
      return { status: 200, body: { data } };
    },
  });
}
