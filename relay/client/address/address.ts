// What a mail address is: the mailbox of RFC 5321 section 4.1.2 with the UTF-8 of RFC 6531 section 3.3. SMTP, headers,
// settings and the API read addresses here and nowhere else. The libraries that were looked at repair what they do not
// understand (nodemailer's parser), or refuse what mailboxes really have (`a..b@`), and none says what is wrong.
import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

/** The address exactly as it was given, or what is wrong with it, as the rest of a sentence that begins with it. */
export type AddressReading = { readonly address: string } | { readonly fault: string };

/** RFC 5321 section 4.5.3.1.3: a path has 256 octets with its brackets. No limit of its own for the local part: VERP and SRS need more than 64. */
const mostOctets = 254;
const tooLong = `is longer than ${mostOctets} octets (RFC 5321 4.5.3.1.3)`;

// RFC 5322 section 3.2.3 with the octets of RFC 6532 section 3.2; a dot may stand anywhere, because addresses such as
// `a..b@`, `a.@` and `.a@` exist at carriers and in firmware, and nobody can read them in two ways.
const dotString = /^(?=.*[^.])[\w!#$%&'*+/=?^`{|}~.\-\u0080-\u{10ffff}]+$/u;
// RFC 5321 section 4.1.2: Quoted-string, whose text is printable ASCII.
const quotedString = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10ffff}]|\\[\x20-\x7e])*"/u;
// The underscore is in no RFC and in many host names.
const label = /^[\p{L}\p{N}_](?:(?:[\p{L}\p{N}\p{M}_\u200c-]|\u200d)*[\p{L}\p{N}\p{M}_])?$/u;

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const control = /[\u0000-\u001f\u007f]/;
// Control, format and separator characters, which nobody sees; U+FFFD stands where octets were no UTF-8. The joiners
// are letters' business in some scripts.
const invisible = /[\u0080-\u{10ffff}]/u;
const invisibleCharacter = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Z}\p{Co}\p{Cn}\p{Cs}\ufffd]/u;
const specials = /[\s@<>()[\]\\,:;"]/;

/** Reads one bare address, as in `RCPT TO:<address>`. */
export function readAddress(text: string): AddressReading {
  const fault = faultOf(text);
  return fault === undefined ? { address: text } : { fault };
}

const isAddress = (text: string): boolean => faultOf(text) === undefined;

function faultOf(text: string): string | undefined {
  if (text === '') return 'is empty; ann@example.com would be accepted';
  // First of all: what is looked for below would be looked for in megabytes.
  if (Buffer.byteLength(text) > mostOctets + 'mailto:'.length) return tooLong;
  if (control.test(text)) return 'holds a control character';
  if (text.trim() !== text) return 'begins or ends with a blank';
  if (/^mailto:/i.test(text)) {
    const rest = text.slice('mailto:'.length);
    const wayOut = isAddress(rest) ? `; ${rest} would be accepted` : '';
    return `begins with mailto:, which is no part of an address${wayOut}`;
  }
  if (Buffer.byteLength(text) > mostOctets) return tooLong;

  const quoted = text.startsWith('"') ? quotedString.exec(text)?.[0] : '';
  if (quoted === undefined) return 'has a quoted local part that is not closed or not printable';
  const at = text.indexOf('@', quoted.length);
  if (at < 0) return 'has no @; ann@example.com would be accepted';
  const local = text.slice(0, at);
  const domain = text.slice(at + 1);
  return localFaultOf(local, quoted, text) ?? domainFaultOf(domain);
}

function localFaultOf(local: string, quoted: string, text: string): string | undefined {
  if (invisible.test(local)) {
    if (invisibleCharacter.test(local.replaceAll(' ', ''))) return 'holds an invisible character';
    // U+FF20 and its kin: a reader that normalises would see another address.
    if (specials.test(local.replace(/[\x20-\x7e]/g, '').normalize('NFKC'))) {
      return 'holds a character that looks like punctuation and is not';
    }
  }
  if (quoted !== '') {
    return local === quoted ? undefined : 'has text between its quoted local part and the @';
  }
  if (local === '') return 'has nothing before the @';
  const last = text.lastIndexOf('@');
  if (last > local.length) {
    return `has more than one @${acceptedIfQuoted(text.slice(0, last), text.slice(last))}`;
  }
  if (dotString.test(local)) return undefined;
  const wrong = /[^\w!#$%&'*+/=?^`{|}~.\-\u0080-\u{10ffff}]/u.exec(local)?.[0];
  if (wrong === undefined) return 'has nothing but dots before the @';
  const what = wrong === ' ' ? 'a blank' : wrong;
  return `has ${what} outside quotes${acceptedIfQuoted(local, text.slice(local.length))}`;
}

/** The way out, where quoting is one. */
function acceptedIfQuoted(local: string, rest: string): string {
  const quoted = quote(local) + rest;
  return isAddress(quoted) ? `; ${quoted} would be accepted` : '';
}

/** RFC 5321 section 4.1.2: Domain, or one of the two address literals of section 4.1.3 that are in use. */
function domainFaultOf(domain: string): string | undefined {
  if (domain === '') return 'has nothing after the @';
  if (domain.startsWith('[')) {
    return isAddressLiteral(domain)
      ? undefined
      : 'has an address literal that is not valid; [192.0.2.1] and [IPv6:2001:db8::1] are';
  }
  const labels = domain.split('.');
  if (labels.includes('')) return 'has a domain with an empty part: a dot too many';
  if (!labels.every((part) => label.test(part))) {
    return 'has a domain that is not valid; letters, digits, hyphens and dots would be accepted';
  }
  const ascii = toAsciiDomain(domain);
  if (ascii === '') return 'has a domain that cannot be written in ASCII (RFC 5891)';
  if (ascii.split('.').some((part) => part.length > 63)) {
    return 'has a domain with a part longer than 63 octets';
  }
  return undefined;
}

function isAddressLiteral(domain: string): boolean {
  if (!domain.endsWith(']')) return false;
  const content = domain.slice(1, -1);
  if (!/^IPv6:/i.test(content)) return isIPv4(content);
  return isIPv6(content.slice(5)) && !content.includes('%');
}

/** RFC 5891: U-labels become A-labels; ASCII stays as it is. Empty when that is impossible. */
const toAsciiDomain = (domain: string) => (/^[\x21-\x7e]*$/.test(domain) ? domain : domainToASCII(domain));

/** The place of the @ that divides the address; the local part may hold others in quotes. */
const divide = (address: string) => {
  const at = address.lastIndexOf('@');
  return { local: address.slice(0, Math.max(at, 0)), domain: address.slice(at + 1) };
};

export const localPartOf = (address: string): string => divide(address).local;
export const domainOf = (address: string): string => divide(address).domain;

/**
 * The address with its domain in ASCII. A domain never needs SMTPUTF8, and in A-labels a server without it takes
 * the mail as well (RFC 6531 section 3.2). Anything without an @ stays as it is.
 */
export function normalizeAddress(address: string): string {
  const { local, domain } = divide(address);
  return address.includes('@') ? `${local}@${toAsciiDomain(domain) || domain}` : address;
}

/**
 * What two ways of writing one mailbox have in common: no quotes that are not needed (RFC 5321 section 4.1.2), the
 * domain in ASCII, everything in lower case. For comparing only; what is sent on is the address as given.
 */
export function comparableAddress(address: string): string {
  const { local, domain } = divide(normalizeAddress(address));
  if (!address.includes('@')) return address.toLowerCase();
  const bare = local.startsWith('"') ? unquote(local) : local;
  return `${dotString.test(bare) ? bare : quote(bare)}@${domain}`.toLowerCase();
}

/** A quoted-string of RFC 5322 section 3.2.4. */
export const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
export const unquote = (quoted: string): string => quoted.slice(1, -1).replace(/\\(.)/gsu, '$1');
