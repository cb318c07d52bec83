// POST /api/v1/submitted-emails/{id}/send-again: a new mail with the octets of one that came over SMTP.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { readSubmittedMail, type Submitted, submitAgain } from '../../relay/client/message/send-again.ts';
import { actorOf, type Principal } from '../authenticate.ts';
import { countRecipients, permitSender } from '../keys/sends.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { wrongEmailState } from './state.ts';

const queueId = z
  .string()
  .regex(/^[0-9A-Z]{16}$/, 'must be the queue id of a mail')
  .meta({ examples: ['1M8PD79SR22PCMSZ'] });

export function sendSubmittedEmailAgain(): Operation {
  return changes({
    id: 'sendSubmittedEmailAgain',
    method: 'post',
    path: '/api/v1/submitted-emails/{id}/send-again',
    tag: 'Emails',
    summary: 'Send a mail that came over SMTP again, as a new mail',
    description:
      'Whatever became of the first one: it stays as it is, and `again_of` of the new one names it. All recipients get it, ' +
      'at once, with the same octets but for a new Message-ID and Date. 409 when its body is no longer stored ' +
      '(RETENTION_BODY), when the application signed it (DKIM), because the signature would break, and for notices of ' +
      'mail systems.',
    scope: 'send',
    params: z.strictObject({ id: queueId }),
    answers: {
      202: {
        description: 'Committed, and in the queue of the relay.',
        schema: z
          .strictObject({ id: queueId, again_of: queueId, message_id: z.string(), recipients: z.int() })
          .meta({ id: 'SubmittedEmailAgain' }),
      },
    },
    problems: ['email-state', 'sender-not-allowed'],
    async handle({ path, principal }, tx) {
      const mail = await readOwnSubmitted(tx, path.id, principal);
      permitSender(principal, mail.headerFrom || mail.sender);
      await countRecipients(tx, principal, mail.recipients);
      const result = await submitAgain(tx, mail, actorOf(principal));
      if (result.outcome === 'refused') throw wrongEmailState(mail.status, result.why);
      return {
        status: 202,
        body: {
          id: result.queueId,
          again_of: path.id,
          message_id: result.messageId,
          recipients: mail.recipients,
        },
      };
    },
  });
}

/** Throws `not-found` unless it is the principal's. */
async function readOwnSubmitted(q: Queryable, id: string, principal: Principal): Promise<Submitted> {
  const mail = await readSubmittedMail(q, id);
  const isOwn = principal.scopes.includes('admin') || mail?.credential === `key:${principal.apiKeyId}`;
  if (!mail || !isOwn) throw new Problem('not-found', `Email ${id} not found for this key.`);
  return mail;
}
