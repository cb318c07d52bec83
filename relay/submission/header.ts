// The header section of a message, read without changing an octet: where its fields lie and what they are called.

export type Field = {
  /** In lower case. */
  readonly name: string;
  /** From the first octet of the name to behind the last CRLF of its value, folded lines included. */
  readonly start: number;
  readonly colon: number;
  readonly end: number;
};

export type HeaderReading =
  | { readonly state: 'complete'; readonly fields: readonly Field[]; readonly length: number }
  /** The message goes on, and the blank line that ends the header has not come yet. */
  | { readonly state: 'incomplete' }
  | { readonly state: 'malformed'; readonly line: number };

const emptyLine = Buffer.from('\r\n\r\n');
// RFC 5322 section 3.6.8: printable US-ASCII except colon; section 4.5 allows blanks before the colon.
const fieldName = /^[!-9;-~]+(?=[ \t]*$)/;

/** @param ended whether these are all octets of the message: then a header without a body is complete too */
export function readHeader(bytes: Buffer, ended: boolean): HeaderReading {
  // A message may begin with the blank line: then it has no header at all.
  if (bytes.length >= 2 && bytes[0] === 13 && bytes[1] === 10)
    return { state: 'complete', fields: [], length: 0 };
  const blank = bytes.indexOf(emptyLine);
  if (blank < 0 && !ended) return { state: 'incomplete' };

  const length = blank < 0 ? bytes.length : blank + 2;
  const text = bytes.toString('latin1', 0, length);
  const fields: { name: string; start: number; colon: number; end: number }[] = [];
  for (let at = 0, line = 1; at < length; line++) {
    const lineFeed = text.indexOf('\n', at);
    const end = lineFeed < 0 ? length : lineFeed + 1;
    const last = fields.at(-1);
    if (last && (text[at] === ' ' || text[at] === '\t')) {
      last.end = end;
    } else {
      const colon = text.indexOf(':', at);
      const name = colon < 0 || colon >= end ? undefined : fieldName.exec(text.slice(at, colon))?.[0];
      if (name === undefined) return { state: 'malformed', line };
      fields.push({ name: name.toLowerCase(), start: at, colon, end });
    }
    at = end;
  }
  return { state: 'complete', length, fields };
}

/** The field body (RFC 5322 section 2.2), what stands behind the colon: unfolded and trimmed, octets above 127 as UTF-8. */
export function bodyOf(bytes: Buffer, { colon, end }: Field): string {
  return bytes
    .toString('utf8', colon + 1, end)
    .replaceAll('\r\n', '')
    .trim();
}
