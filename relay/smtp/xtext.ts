/** The text behind the xtext (RFC 3461 section 4): each `+` and two hexadecimal digits is one character. */
export function decodeXtext(xtext: string): string {
  return xtext.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
