// The mailboxes of a field that says who is speaking: From, Sender and their Resent- kin. Stricter than a mailbox list:
// what a careless reader could take for another author is refused. Known careless readers look for the first `<…>` or
// the first word with an @, do not know comments or quoted pairs, or decode encoded words before they look.
import { localPartOf } from './address.ts';
import { type Mailbox, type MailboxListReading, readMailboxList } from './mailbox-list.ts';
import { type Token, tokensOf } from './tokens.ts';

export function readAuthors(text: string): MailboxListReading {
  const reading = readMailboxList(text);
  if ('fault' in reading) return reading;
  const fault = ambiguityOf(text, reading.mailboxes);
  return fault === undefined ? reading : { fault };
}

function ambiguityOf(text: string, mailboxes: readonly Mailbox[]): string | undefined {
  // Most fields hold nothing that could be read otherwise.
  if (!/["\\(]|=\?/.test(text)) return undefined;
  const tokens = tokensOf(text) as Token[];
  const raw = (token: Token) => text.slice(token.start, token.end);
  if (tokens.some((token) => token.kind === 'comment' && /[@<>"\\]/.test(raw(token)))) {
    return 'has a comment with @ < > " or a backslash in it';
  }
  if (mailboxes.some(({ address }) => /[@<>\\]|=\?/.test(localPartOf(address)))) {
    return 'has @ < > =? or a backslash inside its local part';
  }
  const hasEncodedWord = text.includes('=?');
  const looksLikeAddress = tokens.some((token) => token.kind === 'quoted' && /[@<>]/.test(raw(token)));
  if (looksLikeAddress && (hasEncodedWord || /[\\(]/.test(text))) {
    return 'has @ < or > in a quoted name, and a backslash, a comment or an encoded word beside it';
  }
  return hasEncodedWord ? ambiguityOfEncodedWords(text, mailboxes) : undefined;
}

// Wider than RFC 2047 section 2, as readers are: blanks inside, any letter case. Blanks between two of them are no text.
const encodedWord = /=\?([^?\s]+)\?([bq])\?([^?]*)\?=(?:[ \t]+(?==\?[^?\s]+\?[bq]\?[^?]*\?=))?/gi;
// Charsets in which an @ is the octet 64, and ISO-2022-JP, which Japanese mail uses and TextDecoder reads. A name that is
// missing here may be one of many for UTF-7 or EBCDIC, which some readers know: in those an @ does not look like one.
const readableCharset =
  /^(?:us-ascii|ascii|utf-?8|iso-8859-\d{1,2}|latin-?[1-9]|windows-\d{3,4}|cp125\d|koi8-[ru]|macintosh|euc-(?:jp|kr|tw)|gb2312|gbk|gb18030|big5|shift_jis|iso-2022-jp|ks_c_5601-1987|tis-620)$/i;

/** RFC 2047 section 6.2: what readers show, and what some of them take apart only then. */
function ambiguityOfEncodedWords(text: string, mailboxes: readonly Mailbox[]): string | undefined {
  let names = text;
  for (const { address } of mailboxes) names = names.replace(address, '');
  names = names.replace(/<[ \t]*>/g, '');
  if (names.replace(encodedWord, '').includes('=?'))
    return 'has an encoded word that is not valid (RFC 2047)';
  if (![...names.matchAll(encodedWord)].every(([, charset = '']) => readableCharset.test(labelOf(charset)))) {
    return 'has an encoded word in a charset in which an @ does not look like one';
  }
  const shown = names.replace(encodedWord, (_, charset: string, encoding: string, data: string) =>
    decode(charset, encoding, data),
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
  return /[<>\u0000-\u0008\u000a-\u001f\u007f]|[^ ]@|@[^ ]/.test(shown)
    ? 'has an encoded word that holds an address, < or >'
    : undefined;
}

function decode(charset: string, encoding: string, data: string): string {
  const octets =
    encoding.toLowerCase() === 'b'
      ? Buffer.from(data, 'base64')
      : Buffer.from(
          data
            .replaceAll('_', ' ')
            .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
          'latin1',
        );
  try {
    return new TextDecoder(labelOf(charset)).decode(octets);
  } catch {
    // One of those above that this Node does not know: its ASCII is what matters here.
    return octets.toString('latin1');
  }
}

/** RFC 2231 section 5: a language may stand behind the charset. */
const labelOf = (charset: string) => charset.replace(/\*.*$/, '');
