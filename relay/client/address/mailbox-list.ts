// Mailbox lists (RFC 5322 section 3.4), read and written: `"Doe, Ann" <ann@example.com>, bob@example.com`. Strict: what
// the grammar does not have is refused with the form that would be accepted. Of the obsolete grammar only the dot in a
// name is taken (`J. Doe <…>`), and square brackets in a name, because both are common and nobody misreads them.
import { quote, readAddress } from './address.ts';
import { type Token, tokensOf } from './tokens.ts';

export type Mailbox = {
  /** As it was typed: encoded words (RFC 2047) are not decoded. */
  readonly name?: string;
  readonly address: string;
};

/** What is wrong, as the rest of a sentence that begins with the text. */
type Fault = { readonly fault: string };

/** The mailboxes, at least one. */
export type MailboxListReading = { readonly mailboxes: readonly Mailbox[] } | Fault;

/** Reads a list of mailboxes with commas between them, unfolded. A group (`Friends: a@b, c@d;`) is refused. */
export function readMailboxList(text: string): MailboxListReading {
  const tokens = tokensOf(text);
  if ('fault' in tokens) return tokens;
  const mailboxes: Mailbox[] = [];
  for (const element of elementsOf(tokens)) {
    const mailbox = readElement(text, element);
    if ('fault' in mailbox) return mailbox;
    mailboxes.push(mailbox);
  }
  return { mailboxes };
}

/** A mailbox as a header shows it, in ASCII or UTF-8; the name stands in quotes wherever it needs them. */
function writeMailbox({ name, address }: Mailbox): string {
  if (name === undefined || name === '') return address;
  return `${plainName.test(name) && !name.includes('=?') ? name : quote(name)} <${address}>`;
}

// RFC 5322 section 3.2.5: a phrase of atoms, with the UTF-8 of RFC 6532.
const plainName =
  /^[\w!#$%&'*+/=?^`{|}~\-\u00a1-\u{10ffff}]+(?: [\w!#$%&'*+/=?^`{|}~\-\u00a1-\u{10ffff}]+)*$/u;

const isSpecial = (token: Token | undefined, text: string) =>
  token?.kind === 'special' && token.text === text;
const isBeside = ({ kind }: Token) => kind === 'blank' || kind === 'comment';

/** What stands between the commas. */
function elementsOf(tokens: readonly Token[]): Token[][] {
  const elements: Token[][] = [[]];
  for (const token of tokens) {
    if (isSpecial(token, ',')) elements.push([]);
    else elements.at(-1)?.push(token);
  }
  return elements;
}

function readElement(text: string, tokens: readonly Token[]): Mailbox | Fault {
  const first = tokens.find((token) => !isBeside(token));
  const last = tokens.findLast((token) => !isBeside(token));
  if (!first || !last) {
    return { fault: 'has an empty place where a mailbox should be; ann@example.com would be accepted' };
  }
  if (/^mailto$/i.test(first.text)) {
    return { fault: 'begins with mailto:, which is no part of an address' };
  }
  const open = tokens.findIndex((token) => isSpecial(token, '<'));
  const inFront = open < 0 ? tokens : tokens.slice(0, open);
  if (inFront.some((token) => isSpecial(token, ':'))) {
    return {
      fault: 'is a group, or has a colon outside quotes; mailboxes with commas between them are accepted',
    };
  }
  if (inFront.some((token) => isSpecial(token, ';'))) {
    return { fault: 'has a semicolon outside quotes; between mailboxes a comma would be accepted' };
  }
  if (open >= 0) return readBracketed(text, tokens, open);
  return readBare(text.slice(first.start, last.end), tokens.slice(tokens.indexOf(last)));
}

/** `ann@example.com`, or `ann@example.com (Ann)`, as it was written before there were names. */
function readBare(written: string, behind: readonly Token[]): Mailbox | Fault {
  const reading = readAddress(written);
  if ('fault' in reading) return { fault: faultOfBare(written, reading.fault) };
  const name = commentIn(behind);
  return name ? { name, address: reading.address } : reading;
}

function faultOfBare(written: string, fault: string): string {
  // Not by an expression: in front of thousands of blanks it would look at the same ones again and again.
  const blank = Math.max(written.lastIndexOf(' '), written.lastIndexOf('\t'));
  const name = written.slice(0, Math.max(blank, 0)).trimEnd();
  const address = written.slice(blank + 1);
  if (/^[^@"\\]+$/.test(name) && 'address' in readAddress(address)) {
    return `has a name and no brackets around the address; ${writeMailbox({ name, address })} would be accepted`;
  }
  return written.includes('@')
    ? `holds ${written}, which ${fault}`
    : `holds ${written}, which is no address; ann@example.com would be accepted, and a name with a comma only in quotes`;
}

/** `Ann <ann@example.com>` */
function readBracketed(text: string, tokens: readonly Token[], open: number): Mailbox | Fault {
  const close = tokens.findIndex((token, at) => at > open && isSpecial(token, '>'));
  if (close < 0) return { fault: 'has a < that is not closed' };
  const phrase = tokens.slice(0, open);
  if (phrase.some(({ kind }) => kind === 'special')) {
    return {
      fault: 'has an @ or > outside quotes in front of the address; a name that holds one goes in quotes',
    };
  }
  if (!tokens.slice(close + 1).every(isBeside)) {
    return { fault: 'has something after the >; between mailboxes a comma would be accepted' };
  }

  const written = text.slice((tokens[open] as Token).end, (tokens[close] as Token).start).trim();
  if (written.startsWith('@')) {
    return { fault: 'has a route in front of the address; the address alone would be accepted' };
  }
  const reading = readAddress(written);
  if ('fault' in reading) return { fault: `holds <${written}>, which ${reading.fault}` };
  const name = nameOf(phrase) || commentIn(tokens);
  return name ? { name, address: reading.address } : reading;
}

/** The words of a phrase; blanks between them count as one, and none stays none. */
const nameOf = (phrase: readonly Token[]) =>
  phrase
    .map(({ kind, text }) => (kind === 'blank' ? ' ' : kind === 'comment' ? '' : text))
    .join('')
    .trim();

const commentIn = (tokens: readonly Token[]) =>
  tokens.findLast(({ kind }) => kind === 'comment')?.text.trim();
