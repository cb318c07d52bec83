// One person's address, and how to find it wherever somebody wrote it: in any case of letters, with its domain as
// people or as machines write it, inside of links, of JSON, and of bodies in their transfer encoding.
import { domainToASCII, domainToUnicode } from 'node:url';

export type Person = {
  /** In small letters; the domain in both its forms. */
  readonly spellings: readonly string[];
  /**
   * A regular expression of PostgreSQL. Group 1 is what stands in front, which is no part of the address: an address
   * that ends like this one belongs to somebody else.
   */
  readonly pattern: string;
  /** Whether bytes of a message, or a piece of it that begins with a line, contain it. */
  isIn(bytes: Buffer): boolean;
};

/** Tells nothing of the address, unlike the first letter and the domain that a log shows. */
export const erasedAddress = 'erased@erased.invalid';

export function personOf(address: string): Person {
  const at = address.lastIndexOf('@');
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  const forms = [domain, domainToASCII(domain), domainToUnicode(domain)].filter((form) => form !== '');
  const spellings = [...new Set(forms.map((form) => `${local}@${form}`.toLowerCase()))];
  const inBytes = new RegExp(
    String.raw`(?:(?<![\w.+-])|(?<==[0-9A-F]{2}))(?:${spellings.map(inTransfer).join('|')})(?![\w-]|\.\w)`,
    'i',
  );
  return {
    spellings,
    pattern: patternOf(spellings),
    isIn(bytes) {
      const text = bytes.toString('latin1');
      if (inBytes.test(text)) return true;
      for (const [run] of text.matchAll(base64Run)) {
        if (inBytes.test(Buffer.from(run, 'base64').toString('latin1'))) return true;
      }
      return false;
    },
  };
}

function patternOf(spellings: readonly string[]): string {
  const asJson = spellings.map((spelling) => JSON.stringify(spelling).slice(1, -1));
  const any = [...new Set([...spellings, ...asJson])].map((spelling) => [...spelling].map(inWords).join(''));
  // In front: nothing that makes another address of it, or an escape of a link or of JSON.
  const front = String.raw`(^|[^0-9A-Za-z._+-]|%[0-9A-Fa-f]{2}|\\[bfnrt]|\\u[0-9A-Fa-f]{4})`;
  return String.raw`${front}(?:${any.join('|')})(?![0-9A-Za-z_-]|\.[0-9A-Za-z])`;
}

const literal = (character: string) =>
  /[0-9A-Za-z@_\u0080-\u{10ffff}]/u.test(character) ? character : `\\${character}`;

/** Links write some characters as %XX (RFC 3986 section 2.1), HTML the @ as a character reference. */
function inWords(character: string): string {
  if (character === '@') return '(?:@|%40|&#64;|&#x40;)';
  return character === '+' ? String.raw`(?:\+|%2B)` : literal(character);
}

/** Quoted-printable (RFC 2045 section 6.7): any octet may be =XX, and a line may end anywhere. */
function inTransfer(spelling: string): string {
  return [...Buffer.from(spelling)]
    .map((octet) => {
      const hex = octet.toString(16).padStart(2, '0');
      const character = String.fromCharCode(octet);
      const plain = octet < 0x80 ? inWords(character) : String.raw`\x${hex}`;
      return `(?:${plain}|=${hex})`;
    })
    .join(String.raw`(?:=\r?\n)?`);
}

// Lines of base64, also those inside of encoded words (RFC 2047).
const base64Run = /[A-Za-z0-9+/]{16,}(?:\r?\n[A-Za-z0-9+/]+)*={0,2}/g;
