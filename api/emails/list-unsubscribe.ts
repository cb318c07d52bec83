// List-Unsubscribe with one click (RFC 8058): the caller's own address for it, or a link to this api.
import { z } from 'zod';
import { uuidv7 } from '../../deploy/uuid.ts';
import type { Address, HeaderField } from '../../relay/client/email/email.ts';
import type { Fault } from '../problem.ts';
import { stream } from '../tags.ts';
import type { Unsubscribe } from '../unsubscribe/unsubscribe.ts';

export const listUnsubscribe = z
  .strictObject({
    url: z
      .url({ protocol: /^https$/, error: 'must be an https address' })
      .max(800)
      .refine((url) => /^[\x21-\x7e]+$/.test(url) && !/[<>]/.test(url), { error: 'must be plain ASCII' })
      .optional()
      .meta({ description: 'Your own address, which is POSTed to.' }),
    stream: stream.optional().meta({
      description:
        'Postern makes the link and keeps the list: whoever unsubscribes gets no more mail of this stream. For mail to ' +
        'exactly one recipient; PUBLIC_URL must be https and lead to this api.',
    }),
  })
  .refine(({ url, stream }) => (url === undefined) !== (stream === undefined), {
    error: 'needs either url or stream',
  })
  .meta({ description: 'Adds List-Unsubscribe with one click (RFC 8058).' });

type Asking = {
  readonly to?: readonly Address[] | undefined;
  readonly cc?: readonly Address[] | undefined;
  readonly bcc?: readonly Address[] | undefined;
  readonly list_unsubscribe?: z.output<typeof listUnsubscribe> | undefined;
};

/** The link of a mail, and the id that the mail must get. */
export type OneClick = { readonly emailId: string; readonly link: string };

// The field stands in one line: some readers do not find a folded one. A line has at most 998 octets (RFC 5322
// section 2.1.1).
const mostLink = 950;

/** In the order of the mails; undefined for those that ask for none. */
export async function makeLinks(
  emails: readonly Asking[],
  unsubscribe: Unsubscribe,
): Promise<(OneClick | Fault | undefined)[]> {
  if (!emails.some(asksForLink)) return emails.map(() => undefined);
  const links = await unsubscribe.links();
  return emails.map((email) => {
    const address = [email.to, email.cc, email.bcc].flatMap((given) => given ?? [])[0]?.address;
    const wanted = email.list_unsubscribe?.stream;
    if (wanted === undefined || address === undefined) return undefined;
    if ('fault' in links)
      return refuse(`needs a PUBLIC_URL that is https and leads to this api; ${links.fault}`);
    const emailId = uuidv7();
    const link = links.linkTo({ emailId, address, stream: wanted });
    return link.length > mostLink
      ? refuse(`and the address make a link of more than ${mostLink} characters`)
      : { emailId, link };
  });
}

const asksForLink = (email: Asking) => email.list_unsubscribe?.stream !== undefined;

const refuse = (detail: string): Fault => ({ in: 'body', pointer: '#/list_unsubscribe', detail });

export const unsubscribeFields = (link: string): HeaderField[] => [
  { name: 'List-Unsubscribe', value: `<${link}>` },
  { name: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' },
];
