// DELETE /api/v1/recipients/{address}: the right to be forgotten (GDPR article 17), by address.
import { z } from 'zod';
import { actorOf } from '../authenticate.ts';
import { address, id } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { forgetPerson } from './erase.ts';

export function eraseRecipient(): Operation {
  return changes({
    id: 'eraseRecipient',
    method: 'delete',
    path: '/api/v1/recipients/{address}',
    tag: 'Emails',
    summary: 'Erase a person: the emails to an address, and the address',
    description:
      'Cancels emails to the address that were not sent yet, removes bodies, subjects and attachments, and masks the ' +
      'address everywhere: in emails to others, timelines, forms, applications, templates and submitted mail, ' +
      'also inside of links and transfer encodings. A form goes on for its other recipients. Attachments of emails to ' +
      'others are searched as they are, not unpacked. Statuses and times stay. Customer accounts are deleted ' +
      'separately; `customer_ids` names them. Erasing again is harmless.',
    scope: 'admin',
    params: z.strictObject({ address }),
    answers: {
      200: {
        description: 'What was erased.',
        schema: z.strictObject({
          erased: z.strictObject({ emails: z.int(), messages: z.int(), applications: z.int() }),
          still_leaving: z.int().meta({
            description:
              'Emails to this person, or that name them, that are not finished yet; erase again ' +
              'when they are.',
          }),
          customer_ids: z.array(id),
        }),
      },
    },
    async handle({ path, principal }, tx) {
      const done = await forgetPerson(tx, path.address, actorOf(principal));
      const { emails, messages, applications } = done;
      return {
        status: 200,
        body: {
          erased: { emails, messages, applications },
          still_leaving: done.onTheirWay,
          customer_ids: done.customerIds,
        },
      };
    },
  });
}
