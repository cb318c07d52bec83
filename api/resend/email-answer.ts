// A mail of ours in the words of the client. Where it has no word that is true, the more careful one is told.
import type { z } from 'zod';
import { quote } from '../../relay/client/address/address.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import type { emailListItem, emailView } from '../emails/email.ts';

type Item = z.output<typeof emailListItem>;
type View = z.output<typeof emailView>;

/** `delivered`, `opened` and `clicked` are never told: Postern cannot know them. */
const lastEvents: Readonly<Record<Status, string>> = {
  pending: 'queued',
  queued: 'queued',
  sending: 'queued',
  deferred: 'delivery_delayed',
  held: 'delivery_delayed',
  uncertain: 'delivery_delayed',
  sent: 'sent',
  bounced: 'bounced',
  expired: 'failed',
  cancelled: 'canceled',
  suppressed: 'suppressed',
  // Nothing left, so `sent` would not be true.
  captured: 'queued',
};

export const lastEventOf = ({ kind, status }: Pick<Item, 'kind' | 'status'>): string =>
  kind === 'scheduled' && status === 'pending' ? 'scheduled' : lastEvents[status];

export const toListEmail = (email: Item) => ({
  id: email.id,
  message_id: email.message_id,
  to: email.to.map(textOf),
  from: email.from && textOf(email.from),
  created_at: email.created_at,
  subject: email.subject,
  bcc: email.bcc.map(textOf),
  cc: email.cc.map(textOf),
  reply_to: email.reply_to.map(textOf),
  last_event: lastEventOf(email),
  scheduled_at: scheduledAt(email),
});

/** `html` and `text` are absent where the key may not read them. */
export const toClientEmail = (email: View) => ({
  object: 'email',
  ...toListEmail(email),
  html: email.html,
  text: email.text,
  tags: email.tags,
});

/** The answer to a mail that was taken: with its time, when it leaves later. */
export const toAccepted = (email: Item) => ({
  id: email.id,
  ...(email.kind === 'scheduled' && { scheduled_at: email.scheduled_datetime }),
});

const scheduledAt = (email: Item) => (email.kind === 'scheduled' ? email.scheduled_datetime : null);

/** As people write it; not as the header encodes it. */
function textOf({ address, name }: { address: string; name: string | null }): string {
  if (name === null) return address;
  return `${/[()<>[\]:;@\\,."]/.test(name) ? quote(name) : name} <${address}>`;
}
