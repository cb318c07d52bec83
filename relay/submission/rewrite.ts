// RELAY_SENDER_REWRITE: mail of the local system (`root@host`, `root (Cron Daemon)`, `MAILER-DAEMON@host`) leaves under an
// address that may speak, with the old one where people see it. Only what reads in one way, and only mail without a
// DKIM signature, which the change would break. Pure.

import { type AllowedSenders, isAllowedSender } from '../client/address/allowed-senders.ts';
import { readAuthors } from '../client/address/authors.ts';
import { unfolded } from './authors.ts';
import type { Field } from './header.ts';

/** What stood there before, for the timeline; nothing where nothing changed. */
export type RewrittenSenders = {
  readonly fromWas?: string;
  readonly senderWas?: string;
  readonly mailFromWas?: string;
};

export type Rewriting = {
  /** Fields that stay behind. */
  readonly removed: readonly Field[];
  /** Fields that take their place, each with its CRLF. */
  readonly added: string;
  /** MAIL FROM as it goes on. */
  readonly mailFrom: string;
  readonly were: RewrittenSenders;
};

export type RewritingQuestion = {
  readonly bytes: Buffer;
  readonly fields: readonly Field[];
  readonly allowed: AllowedSenders;
  readonly mailFrom: string;
  /** The address that may speak instead. */
  readonly to: string;
};

/** Undefined when this mail is not to be touched. What it leaves is judged like any other mail. */
export function rewriteSenders(question: RewritingQuestion): Rewriting | undefined {
  const { bytes, fields, allowed, mailFrom, to } = question;
  const named = (name: string) => fields.filter((field) => field.name === name);
  if (named('dkim-signature').length > 0) return undefined;
  const isForeign = (address: string) => !isAllowedSender(address, allowed);

  const froms = named('from');
  const author = froms.length === 1 ? authorIn(unfolded(bytes, froms[0] as Field)) : undefined;
  const old = author !== undefined && isForeign(author) ? author : undefined;
  const senders = named('sender').filter((field) => {
    const sender = authorIn(unfolded(bytes, field));
    return sender === undefined || isForeign(sender);
  });
  // The null sender of a bounce stays (RFC 5321 section 4.5.5).
  const isNewMailFrom = mailFrom !== '' && mailFrom !== to && (old !== undefined || isForeign(mailFrom));
  const replyTo = old?.includes('@') && named('reply-to').length === 0 ? `Reply-To: ${old}\r\n` : '';
  return {
    removed: old === undefined ? senders : [...froms, ...senders],
    added: old === undefined ? '' : `From: "${old.replace(/["\\]/g, '')}" <${to}>\r\n${replyTo}`,
    mailFrom: isNewMailFrom ? to : mailFrom,
    were: {
      ...(old !== undefined && { fromWas: old }),
      ...(senders[0] && { senderWas: unfolded(bytes, senders[0]).slice(0, 300) }),
      ...(isNewMailFrom && { mailFromWas: mailFrom }),
    },
  };
}

/** The only mailbox, or the only bare local name, that the text can be read as. */
function authorIn(text: string): string | undefined {
  const reading = readAuthors(text);
  if ('mailboxes' in reading) {
    return reading.mailboxes.length === 1 ? reading.mailboxes[0]?.address : undefined;
  }
  const [, before, name, behind = ''] = bareName.exec(text) ?? bracketedName.exec(text) ?? [];
  if (name === undefined) return undefined;
  const whole = readAuthors(`${before}${name}@localhost${behind}`);
  return 'mailboxes' in whole && whole.mailboxes.length === 1 ? name : undefined;
}

/** `root`, `root (Cron Daemon)` */
const bareName = /^()([\w!#$%&'*+/=?^`{|}~.-]+)([ \t]*\([^()@<>"\\]*\))?$/;
/** `Cron Daemon <root>`, `"Cron Daemon" <root>` */
const bracketedName = /^((?:"[^"\\@<>]*"|[^"\\@<>(),:;])*<)([\w!#$%&'*+/=?^`{|}~.-]+)(>)$/;
