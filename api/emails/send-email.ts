// POST /api/v1/emails: one email, committed, then handed to the relay.
import type { Database } from '../../deploy/database.ts';
import { type InsertedEmail, insertEmail } from '../../relay/client/email/insert.ts';
import { countRecipients } from '../keys/sends.ts';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { checkEmail, readEmailContext } from './check.ts';
import { emailBodyLimit, emailDraft, exampleEmail } from './draft.ts';
import { emailListItem, readListItem } from './email.ts';

export function sendEmail({ database, sending }: { database: Database; sending: Sending }): Operation {
  return changes({
    id: 'sendEmail',
    method: 'post',
    path: '/api/v1/emails',
    tag: 'Emails',
    summary: 'Send an email, now or later',
    description:
      'The answer is 202 as soon as the email is committed; `status` is its status. Attachments are base64; ' +
      'the whole message may be as large as the relay accepts (RELAY_MAX_MESSAGE_SIZE). Without attachments, a body may ' +
      'hold 16 MB, 60,000 values and 32 levels. When too many large requests come at once, the answer is 503 with ' +
      'Retry-After.',
    scope: 'send',
    bodyLimit: emailBodyLimit,
    takesFiles: true,
    body: emailDraft,
    bodyExample: exampleEmail,
    answers: { 202: { description: 'Committed.', schema: emailListItem } },
    problems: ['sender-not-allowed'],
    async handle(call, tx) {
      const draft = await checkEmail(tx, call.body, await readEmailContext(tx, sending, call));
      await countRecipients(tx, call.principal, draft.recipients.length);
      const inserted = await insertEmail(tx, draft);
      return {
        status: 202,
        body: await readListItem(tx, inserted.id),
        headers: { location: `/api/v1/emails/${inserted.id}` },
        keepKeyUntil: draft.dueAt,
        afterCommit: () => handOver(database, sending, inserted),
      };
    },
  });
}

/** What was committed stays committed: without the database, the older state is told. */
async function handOver(database: Database, sending: Sending, inserted: InsertedEmail) {
  await sending.handOver(inserted);
  return readListItem(database, inserted.id).catch(() => undefined);
}
