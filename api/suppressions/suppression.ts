// An entry of the suppression list as the API shows it.
import { z } from 'zod';
import {
  type Suppression,
  suppressionReasons,
  suppressionSources,
} from '../../relay/client/suppression/suppression.ts';
import { id, instant, listOf } from '../fields.ts';
import { Problem } from '../problem.ts';
import { stream } from '../tags.ts';

export const suppressionView = z
  .strictObject({
    id,
    address: z.string().meta({ examples: ['ann@example.com'] }),
    stream: z.string().nullable().meta({ description: 'Mail of this stream only; null is all mail.' }),
    reason: z.enum(suppressionReasons),
    source: z.enum(suppressionSources).meta({
      description:
        'How it came onto the list: over the API, from a file, by what the provider answered, or by a delivery report.',
    }),
    cause: z.string().nullable().meta({ description: 'Why, when a mail showed it.' }),
    source_email_id: id.nullable().meta({ description: 'The mail that showed it.' }),
    source_queue_id: z.string().nullable().meta({ description: 'The same in the queue of the relay.' }),
    reply: z.string().nullable().meta({ description: 'What the server or the report said.' }),
    note: z.string().nullable(),
    created_at: instant,
    expires_at: instant.nullable(),
  })
  .meta({ id: 'Suppression' });

export function toSuppressionView(suppression: Suppression): z.output<typeof suppressionView> {
  return {
    id: suppression.id,
    address: suppression.address,
    stream: suppression.stream,
    reason: suppression.reason,
    source: suppression.source,
    cause: suppression.cause,
    source_email_id: suppression.sourceEmailId,
    source_queue_id: suppression.sourceQueueId,
    reply: suppression.reply,
    note: suppression.note,
    created_at: suppression.createdAt.toISOString(),
    expires_at: suppression.expiresAt?.toISOString() ?? null,
  };
}

export const notSuppressed = (address: string, of?: string) =>
  new Problem('not-found', `${address} is not on the suppression list${of ? ` for the stream ${of}` : ''}.`);

export const suppressionFilters = {
  reason: listOf(suppressionReasons).optional().meta({ description: 'One reason, or several with commas.' }),
  stream: stream.optional().meta({ description: 'Entries for mail of this stream.' }),
  source: listOf(suppressionSources)
    .optional()
    .meta({ description: 'How they came onto the list: one, or several with commas.' }),
};

export const ofStream = z.strictObject({
  stream: stream
    .optional()
    .meta({ description: 'The entry for mail of this stream; without it the one for all mail.' }),
});
