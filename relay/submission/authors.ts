// Who speaks in a mail: From, Sender and the two fields of whoever passed it on (RFC 5322 sections 3.6.2 and 3.6.6). All
// of them obey the sender rule, and none may be read in two ways. Pure.

import { normalizeAddress } from '../client/address/address.ts';
import { type AllowedSenders, isAllowedSender } from '../client/address/allowed-senders.ts';
import { readAuthors } from '../client/address/authors.ts';
import { type MailboxListReading, readMailboxList } from '../client/address/mailbox-list.ts';
import type { Field } from './header.ts';
import { type Refusal, refuse, senderNotAllowed } from './refusal.ts';

const authorFields = {
  from: { shown: 'From', mostMailboxes: Number.POSITIVE_INFINITY },
  sender: { shown: 'Sender', mostMailboxes: 1 },
  'resent-from': { shown: 'Resent-From', mostMailboxes: Number.POSITIVE_INFINITY },
  'resent-sender': { shown: 'Resent-Sender', mostMailboxes: 1 },
} as const;
type AuthorField = keyof typeof authorFields;

export type AuthorsQuestion = {
  readonly bytes: Buffer;
  readonly fields: readonly Field[];
  readonly allowed: AllowedSenders;
  readonly setBy?: string | undefined;
  /** Whether Postern wrote this header itself: then a name may hold what a stranger's may not. */
  readonly isOurs: boolean;
  /** The author who takes the place of From, which is then not among the fields. */
  readonly instead: string | undefined;
};

/** The address of the first author; or why these may not speak. */
export function judgeAuthors(question: AuthorsQuestion): string | Refusal {
  const { bytes, fields, allowed, setBy, isOurs, instead } = question;
  // Which of two a reader sees depends on the reader: the other one could be anybody's.
  for (const name of ['from', 'sender'] as const) {
    const { length } = fields.filter((field) => field.name === name);
    if (length > 1) {
      return refuse(
        554,
        '5.6.0',
        `There is more than one ${authorFields[name].shown} field (RFC 5322 3.6); one would be accepted`,
      );
    }
  }
  if (instead === undefined && !fields.some(({ name }) => name === 'from')) {
    return refuse(
      554,
      '5.6.0',
      'There is no From field (RFC 5322 3.6); From: ann@example.com would be accepted',
    );
  }
  let headerFrom = instead ?? '';
  for (const field of fields) {
    if (!isAuthorField(field.name)) continue;
    const authors = readField(unfolded(bytes, field), field.name, isOurs);
    if ('code' in authors) return authors;
    const stranger = authors.find((address) => !isAllowedSender(address, allowed));
    if (stranger !== undefined) {
      return senderNotAllowed(stranger, authorFields[field.name].shown, allowed, setBy);
    }
    if (field.name === 'from') headerFrom = normalizeAddress(authors[0] as string);
  }
  return headerFrom;
}

const isAuthorField = (name: string): name is AuthorField => Object.hasOwn(authorFields, name);

function readField(text: string, name: AuthorField, isOurs: boolean): readonly string[] | Refusal {
  const { shown, mostMailboxes } = authorFields[name];
  const reading = isOurs ? readMailboxList(text) : recall(text);
  if ('fault' in reading) {
    const wayOut = /would be accepted|are accepted/.test(reading.fault)
      ? ''
      : '; Ann <ann@example.com> would be accepted';
    return refuse(554, '5.6.0', `The ${shown} field ${reading.fault}${wayOut}`);
  }
  if (reading.mailboxes.length > mostMailboxes) {
    return refuse(
      554,
      '5.6.0',
      `The ${shown} field holds more than one mailbox (RFC 5322 3.6.2); one would be accepted`,
    );
  }
  return reading.mailboxes.map(({ address }) => address);
}

/** RFC 5322 section 2.2.3, and no more: what else is unusual about the text is for its reader to judge. */
export const unfolded = (bytes: Buffer, { colon, end }: Field): string =>
  bytes
    .toString('utf8', colon + 1, end)
    .replace(/\r\n(?=[ \t]|$)/g, '')
    .replace(/^[ \t]+|[ \t]+$/g, '');

// An application sends from the same few addresses all day, and taking a From field apart is the dearest part of
// looking at a header.
const remembered = new Map<string, MailboxListReading>();
const mostRemembered = 1_000;
const longestRemembered = 1_000;

function recall(text: string): MailboxListReading {
  const known = remembered.get(text);
  if (known) return known;
  const reading = readAuthors(text);
  if (text.length > longestRemembered) return reading;
  if (remembered.size >= mostRemembered) remembered.clear();
  remembered.set(text, reading);
  return reading;
}
