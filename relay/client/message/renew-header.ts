// A stored message as a new one: another Message-ID and another Date, and every other octet as it was.

export type Renewed =
  | { readonly outcome: 'renewed'; readonly bytes: Buffer }
  /** A DKIM signature covers fields that would change (RFC 6376 section 5.4.1). */
  | { readonly outcome: 'signed' }
  /** Its header does not end within these octets. */
  | { readonly outcome: 'unreadable' };

/** @param first its first octets, with all of its header */
export function renewHeader(first: Buffer, messageId: string, date: Date): Renewed {
  const blank = first.indexOf('\r\n\r\n');
  if (blank < 0) return { outcome: 'unreadable' };
  const header = first.toString('latin1', 0, blank + 2);
  const fields = header.match(/[^\r\n][^\n]*\n(?:[ \t][^\n]*\n)*/g) ?? [];
  const isNamed = (name: string) => (field: string) => new RegExp(`^${name}[ \\t]*:`, 'i').test(field);
  if (fields.some(isNamed('dkim-signature'))) return { outcome: 'signed' };
  const isReplaced = (field: string) => isNamed('message-id')(field) || isNamed('date')(field);
  const at = Math.max(0, fields.findIndex(isReplaced));
  const kept = (part: readonly string[]) => part.filter((field) => !isReplaced(field)).join('');
  // RFC 5322 section 3.3: a zone in digits.
  const own = `Message-ID: ${messageId}\r\nDate: ${date.toUTCString().replace('GMT', '+0000')}\r\n`;
  const renewed = kept(fields.slice(0, at)) + own + kept(fields.slice(at));
  return {
    outcome: 'renewed',
    bytes: Buffer.concat([Buffer.from(renewed, 'latin1'), first.subarray(blank + 2)]),
  };
}
