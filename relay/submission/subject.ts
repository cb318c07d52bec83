// What a submitted mail is about, in words for the list of mail. What goes on stays as it came.
import { bodyOf, type Field } from './header.ts';

const mostCharacters = 500;
// RFC 2047 section 2, and blanks inside, as some programs write them.
const encodedWord = /=\?([\w-]+)(?:\*[\w-]+)?\?([bq])\?([^?\r\n]{0,2000})\?=/gi;
// Blanks between two encoded words are no text (section 6.2).
const between = /(\?=)[ \t]+(?==\?[\w*-]+\?[bq]\?)/gi;

/** The words of the first Subject; undefined when there is none. */
export function subjectOf(bytes: Buffer, fields: readonly Field[]): string | undefined {
  const field = fields.find(({ name }) => name === 'subject');
  if (!field) return undefined;
  const written = bodyOf(bytes, field);
  const words = written.includes('=?') ? decoded(written.slice(0, 4 * mostCharacters)) : written;
  // PostgreSQL takes no NUL, and a list has no place for lines.
  return words.replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ').slice(0, mostCharacters);
}

const decoded = (text: string) =>
  text
    .replaceAll(between, '$1')
    .replaceAll(encodedWord, (whole, charset: string, encoding: string, word: string) => {
      try {
        const octets = encoding.toLowerCase() === 'b' ? Buffer.from(word, 'base64') : quoted(word);
        return new TextDecoder(charset).decode(octets);
      } catch {
        // A charset that nobody knows: as it was written.
        return whole;
      }
    });

/** Section 4.2: an underscore is a blank. */
const quoted = (word: string) =>
  Buffer.from(
    word
      .replaceAll('_', ' ')
      .replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
