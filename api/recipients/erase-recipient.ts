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
    summary: 'Forget a person: erase what was written to an address, and the address',
    description:
      'Withdraws mail to the address that has not left, removes bodies, subjects and attachments, and masks the ' +
      'address wherever it stands: in mail to others, timelines, forms, applications, templates and submitted mail, ' +
      'also inside of links and transfer encodings. A form goes on for its other recipients. Attachments of mail to ' +
      'others are searched as they are, not unpacked. Statuses and times stay. Customer accounts are deleted by ' +
      'themselves; `customer_ids` names them. Erasing again is harmless.',
    scope: 'admin',
    params: z.strictObject({ address }),
    answers: {
      200: {
        description: 'What was erased.',
        schema: z.strictObject({
          erased: z.strictObject({ emails: z.int(), messages: z.int(), applications: z.int() }),
          still_leaving: z.int().meta({
            description:
              'Not finished yet, for this address or another of theirs, or naming it on their way to others; erase again ' +
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
