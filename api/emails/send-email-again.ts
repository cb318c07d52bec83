// POST /api/v1/emails/{id}/send-again: a new email with the content of another.
import type { Database } from '../../deploy/database.ts';
import type { InsertedEmail } from '../../relay/client/email/insert.ts';
import { insertAgain, isKept } from '../../relay/client/email/send-again.ts';
import { actorOf } from '../authenticate.ts';
import { countRecipients, permitSender } from '../keys/sends.ts';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { emailListItem, readListItem } from './email.ts';
import { readOwn } from './owner.ts';
import { emailPath, wrongEmailState } from './state.ts';

export function sendEmailAgain({ database, sending }: { database: Database; sending: Sending }): Operation {
  return changes({
    id: 'sendEmailAgain',
    method: 'post',
    path: '/api/v1/emails/{id}/send-again',
    tag: 'Emails',
    summary: 'Send the content of an email again, as a new email',
    description:
      'Whatever became of the first one: it stays as it is, and `again_of` of the new one names it. All recipients get ' +
      'it, at once. 409 when its body is no longer stored (RETENTION_BODY), and for an invitation, whose link has ended: ' +
      'use `POST /api/customers/{id}/invitation`.',
    scope: 'send',
    params: emailPath,
    answers: { 202: { description: 'Committed.', schema: emailListItem } },
    problems: ['email-state', 'sender-not-allowed'],
    async handle({ path, principal, traceparent }, tx) {
      const email = await readOwn(tx, path.id, principal);
      if (email.kind === 'invitation')
        throw wrongEmailState(
          email.status,
          'An invitation is sent again with a new link: invite the customer again.',
        );
      if (!isKept(email)) throw wrongEmailState(email.status, 'Its body is no longer stored.');
      if (email.from) permitSender(principal, email.from.address);
      await countRecipients(tx, principal, email.recipients.length);
      const inserted = await insertAgain(tx, email, {
        actor: actorOf(principal),
        apiKeyId: principal.apiKeyId,
        traceparent,
      });
      return {
        status: 202,
        body: await readListItem(tx, inserted.id),
        headers: { location: `/api/v1/emails/${inserted.id}` },
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
