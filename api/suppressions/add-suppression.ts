// POST /api/v1/suppressions: an address that is written to no more.
import { z } from 'zod';
import {
  addSuppression as insertSuppression,
  suppressionReasons,
} from '../../relay/client/suppression/suppression.ts';
import { invalidFields } from '../faults.ts';
import { address, prose, time } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { stream } from '../tags.ts';
import { suppressionView, toSuppressionView } from './suppression.ts';

export function addSuppression(): Operation {
  return changes({
    id: 'addSuppression',
    method: 'post',
    path: '/api/v1/suppressions',
    tag: 'Suppressions',
    summary: 'Put an address on the suppression list',
    description:
      'From now on no mail goes to it: of the API, of forms, or submitted over SMTP. The recipient becomes ' +
      '`suppressed`; other recipients of the same mail are served. Mail that is being sent is not stopped.',
    scope: 'admin',
    body: z
      .strictObject({
        address,
        reason: z.enum(suppressionReasons).optional().meta({ description: 'Without it `manual`.' }),
        stream: stream.optional().meta({ description: 'Only mail of this stream; without it all mail.' }),
        note: prose(500).optional(),
        expires_at: time.optional(),
      })
      .meta({ id: 'SuppressionDraft' }),
    bodyExample: { address: 'ann@example.com', note: 'Asked by telephone' },
    answers: {
      200: { description: 'It is on the list already; nothing has changed.', schema: suppressionView },
      201: { description: 'On the list.', schema: suppressionView },
    },
    async handle({ body }, tx) {
      if (body.expires_at && body.expires_at.getTime() <= Date.now())
        throw invalidFields([{ in: 'body', pointer: '#/expires_at', detail: 'must be in the future' }]);
      const { suppression, isNew } = await insertSuppression(tx, {
        address: body.address,
        reason: body.reason ?? 'manual',
        stream: body.stream,
        note: body.note,
        expiresAt: body.expires_at,
      });
      return { status: isNew ? 201 : 200, body: toSuppressionView(suppression) };
    },
  });
}
