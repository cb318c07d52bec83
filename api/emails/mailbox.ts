// Who a mail is from and for, as callers write it: mailboxes as in a header, or an address and a name apart.
import { z } from 'zod';
import { readMailboxList } from '../../relay/client/address/mailbox-list.ts';
import type { Address } from '../../relay/client/email/email.ts';
import { address, faultOfReach, line } from '../fields.ts';

export const maxRecipients = 50;

const namedAddress = z
  .strictObject({ address, name: line(200).optional() })
  .meta({ examples: [{ address: 'ann@example.com', name: 'Ann Example' }] });

/** Text with at least one mailbox, and no more than may stand there. */
const mailboxText = (most: number) =>
  line(500 * most)
    .transform((text, context): Address[] => {
      const reading = readMailboxList(text);
      const fault = 'fault' in reading ? reading.fault : faultOfAll(reading.mailboxes, most);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      return 'fault' in reading ? z.NEVER : [...reading.mailboxes];
    })
    .meta({ examples: ['"Example, Ann" <ann@example.com>'] });

function faultOfAll(all: readonly Address[], most: number): string | undefined {
  if (all.length > most) return most === 1 ? 'must be one mailbox' : `must have at most ${most} mailboxes`;
  if (all.some(({ name = '' }) => name.length > 200)) return 'must have names of at most 200 characters';
  const fault = all.map((each) => faultOfReach(each.address)).find((each) => each !== undefined);
  return fault && `holds an address that ${fault}; ann@example.com would be accepted`;
}

/** `Ann Example <ann@example.com>`, `ann@example.com`, or an object. */
export const mailbox = z
  .union([mailboxText(1), namedAddress])
  .transform((given): Address => (Array.isArray(given) ? (given[0] as Address) : given));

/** One or several of them: in one text with commas, or in a list. */
export const mailboxes = (most = maxRecipients) => {
  const one = z.union([mailboxText(most), namedAddress]);
  return z
    .union([one, z.array(one).max(most, `must have at most ${most} entries`)])
    .transform((given): Address[] => (Array.isArray(given) ? given.flat() : [given]))
    .refine((all) => all.length <= most, { error: `must have at most ${most} mailboxes` });
};
