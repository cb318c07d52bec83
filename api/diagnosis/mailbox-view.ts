// The mailbox that delivery reports are read from, as the API shows it.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import {
  countReportsWithoutEffect,
  type MailboxAddress,
  readMailbox,
  reportsShownDays,
} from '../../relay/client/status/mailbox.ts';
import { instant } from '../fields.ts';

export const mailboxView = z
  .strictObject({
    user: z.string(),
    host: z
      .string()
      .nullable()
      .meta({ description: "Null: BOUNCE_IMAP_HOST is not set, and the provider's server is not known." }),
    port: z.int(),
    state: z.enum(['starting', 'reading', 'failing']),
    cause: z.string().nullable(),
    detail: z.string().nullable().meta({ description: 'What the mail server said.' }),
    since: instant.nullable(),
    last_look_at: instant.nullable().meta({ description: 'When all folders were last looked through.' }),
    without_effect: z
      .array(
        z.strictObject({
          outcome: z.enum(['unmatched', 'unreadable']),
          why: z.enum(['no-id', 'mail-unknown', 'recipient-unknown']).nullable().meta({
            description:
              'Of an unmatched report: it names no mail by an id, the mail is not known here, or the recipient is none of it.',
          }),
          count: z.int(),
          last_at: instant,
        }),
      )
      .meta({
        description: `Reports of the last ${reportsShownDays} days that changed nothing; 10,000 of them at most are counted.`,
      }),
  })
  .meta({ id: 'BounceMailbox' });

export async function viewMailbox(q: Queryable, { user, host, port }: MailboxAddress) {
  const [{ state, cause, detail, since, lastLookAt }, withoutEffect] = await Promise.all([
    readMailbox(q, { user, host, port }),
    countReportsWithoutEffect(q),
  ]);
  return {
    user,
    host,
    port,
    state,
    cause,
    detail,
    since: since?.toISOString() ?? null,
    last_look_at: lastLookAt?.toISOString() ?? null,
    without_effect: withoutEffect.map(({ lastAt, ...each }) => ({ ...each, last_at: lastAt.toISOString() })),
  };
}
