// The header fields of a message (RFC 5322), written in this one place. nodemailer encodes ASCII that needs no encoding,
// leaves encoded words that somebody typed, and folds wherever 76 characters are full.
import { buildHeaderValue, encodeWord } from 'nodemailer/lib/mime-funcs';
import { normalizeAddress, quote, unquote } from '../address/address.ts';
import type { Address, HeaderField } from '../email/email.ts';

// RFC 5322 section 2.1.1.
const mostOnALine = 998;
const goodForALine = 78;

/**
 * Folds a field at blanks and nowhere else (RFC 5322 section 2.2.3): taken apart at CRLF and put together again it is
 * what it was. The first word stays beside the name, because some readers lose a field that begins on its second line.
 */
function fold(field: string): string {
  const [name = '', first = '', ...words] = field.trimEnd().match(/[ \t]*[^ \t]+/g) ?? [];
  const lines = [name + first];
  for (const word of words) {
    const last = lines.length - 1;
    if ((lines[last] as string).length + word.length <= goodForALine) lines[last] += word;
    else lines.push(word);
  }
  return lines.join('\r\n');
}

// What reaches a field without having been checked, such as a name in the settings, must not begin another field.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const controls = /[\u0000-\u0008\u000a-\u001f\u007f]+/g;

const field = (name: string, value: string) => fold(`${name}: ${value.replace(controls, ' ')}`);

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding what is not ASCII is the point
const isAscii = (text: string) => /^[\u0000-\u007f]*$/.test(text);

// Wider than RFC 2047 section 2, as readers are: some decode a word with blanks or question marks in it.
const looksEncoded = (text: string) => /=\?.*\?=/s.test(text);

/** Text as people typed it. ASCII stays as it is, unless readers would take it for something encoded. */
const asText = (text: string) => (isAscii(text) && !looksEncoded(text) ? text : encode(text));

/** RFC 2047: encoded words with blanks between them, all of the text, so that no blank of it is lost. */
function encode(text: string): string {
  const plain = text.replace(controls, ' ');
  const latin = plain.match(/[a-z]/gi)?.length ?? 0;
  return encodeWord(plain, latin * 2 > plain.length ? 'Q' : 'B', 52);
}

const atoms = /^[\w!#$%&'*+/=?^`{|}~-]+(?: [\w!#$%&'*+/=?^`{|}~-]+)*$/;

/** A name in front of an address (RFC 5322 section 3.2.5). */
function asPhrase(name: string): string {
  const text = asText(name);
  return text !== name || atoms.test(name) ? text : quote(name);
}

/** One mailbox, its domain in ASCII, in brackets wherever its local part needs quotes. */
export function asMailbox({ address, name }: Address): string {
  const written = normalizeAddress(address);
  if (name) return `${asPhrase(name)} <${written}>`;
  return written.startsWith('"') ? `<${written}>` : written;
}

/** A field that holds mailboxes; nothing without any. */
export const mailboxField = (name: string, mailboxes: readonly Address[]): string[] =>
  mailboxes.length === 0 ? [] : [field(name, mailboxes.map(asMailbox).join(', '))];

export const textField = (name: string, text: string): string => field(name, asText(text));

/** A field whose value is ASCII already. */
export const asciiField = field;

/** A field that the caller named. ASCII goes out as it was given and is only folded. */
export const callersField = (given: HeaderField): string =>
  field(given.name, writtenValue(given) ?? given.value);

/** What is wrong with a caller's field, as the rest of a sentence that begins with its name. */
export function faultOfField(given: HeaderField): string | undefined {
  const value = writtenValue(given);
  if (value === undefined) {
    return isListId(given.name)
      ? 'must be ASCII between < and >, with the name in front: Name <list.example.com>'
      : 'must be ASCII; addresses of pages are percent-encoded';
  }
  const tooLong = field(given.name, value)
    .split('\r\n')
    .some((each) => each.length > mostOnALine);
  return tooLong
    ? `must have a blank at least every ${mostOnALine - 100} characters, because a line of a mail ends after ${mostOnALine} (RFC 5322 section 2.1.1)`
    : undefined;
}

const isListId = (name: string) => /^list-id$/i.test(name);

/** The value in ASCII; undefined when it holds something else where nothing can encode it. */
function writtenValue({ name, value }: HeaderField): string | undefined {
  // Only in these are encoded words decoded and shown. The others are read by programs, as they stand.
  if (/^(?:x-.*|organization)$/i.test(name)) return asText(value);
  if (isAscii(value)) return value;
  if (/^keywords$/i.test(name)) {
    return value
      .split(',')
      .map((each) => asPhrase(each.trim()))
      .join(', ');
  }
  if (!isListId(name)) return undefined;
  // RFC 2919 section 2: an optional phrase, and the id in angle brackets.
  const [, phrase = '', id] = /^(.*?)[ \t]*(<[^<>]*>)$/.exec(value) ?? [];
  if (id === undefined || !isAscii(id)) return undefined;
  return `${asPhrase(/^".*"$/.test(phrase) ? unquote(phrase) : phrase)} ${id}`;
}

/** A file's name for readers that do not know RFC 2231: in quotes, encoded where it is not ASCII. */
export const asOldFilename = (filename: string): string => quote(asText(filename));

/**
 * A file's name as RFC 2231 wants it. One that looks encoded goes the old way: readers that decode encoded words in
 * parameters decode what RFC 2231 carried as well, and would show something else than was typed.
 */
export const dispositionField = (disposition: 'attachment' | 'inline', filename: string): string =>
  field(
    'Content-Disposition',
    looksEncoded(filename)
      ? `${disposition}; filename=${asOldFilename(filename)}`
      : buildHeaderValue({ value: disposition, params: { filename } }),
  );
