// Where the mailbox for delivery reports is, and what it is called in the database.
import type { BounceMailbox } from '../../deploy/bounce-mailbox.ts';
import { imapHostOf } from './imap-hosts.ts';

export type MailboxPlace = {
  readonly host: string;
  /** One row in the database for each mailbox; the password is not part of it. */
  readonly key: string;
};

/** Undefined when no host is set and the provider is none whose mailboxes are known. */
export function placeOf({ host, smtpHost, user }: BounceMailbox): MailboxPlace | undefined {
  const at = host ?? imapHostOf(smtpHost);
  return at === undefined ? undefined : { host: at, key: `${user} ${at}` };
}
