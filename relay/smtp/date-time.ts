/** The date and time of a header field (RFC 5322 section 3.3), in UTC. */
export function dateTime(at: Date): string {
  return at.toUTCString().replace('GMT', '+0000');
}
