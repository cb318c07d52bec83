// An entry of the suppression list as the API shows it.
import { z } from 'zod';
import { type Suppression, suppressionReasons } from '../../relay/client/suppression/suppression.ts';
import { id, instant } from '../fields.ts';
import { Problem } from '../problem.ts';

export const suppressionView = z
  .strictObject({
    address: z.string().meta({ examples: ['ann@example.com'] }),
    reason: z.enum(suppressionReasons),
    cause: z.string().nullable().meta({ description: 'Why, when a mail showed it.' }),
    source_email_id: id.nullable().meta({ description: 'The mail that showed it.' }),
    reply: z.string().nullable(),
    note: z.string().nullable(),
    created_at: instant,
    expires_at: instant.nullable(),
  })
  .meta({ id: 'Suppression' });

export function toSuppressionView(suppression: Suppression): z.output<typeof suppressionView> {
  return {
    address: suppression.address,
    reason: suppression.reason,
    cause: suppression.cause,
    source_email_id: suppression.sourceEmailId,
    reply: suppression.reply,
    note: suppression.note,
    created_at: suppression.createdAt.toISOString(),
    expires_at: suppression.expiresAt?.toISOString() ?? null,
  };
}

export const notSuppressed = (address: string) =>
  new Problem('not-found', `${address} is not on the suppression list.`);
