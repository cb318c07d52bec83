// How long a provider may take for each answer. Giving up early makes duplicates, so these are the RFC's own times.

/** All in milliseconds. */
export type SmtpTimeouts = {
  /** MAIL, RCPT, RSET: five minutes (RFC 5321 §4.5.3.2.2 and .3). */
  readonly commandMs: number;
  /** DATA until 354: two minutes (§4.5.3.2.4). */
  readonly dataMs: number;
  /** A block of the message: three minutes (§4.5.3.2.5). */
  readonly blockMs: number;
  /** From the final dot until the final reply: ten minutes (§4.5.3.2.6). */
  readonly finalMs: number;
};

const minute = 60_000;

export const usualSmtpTimeouts: SmtpTimeouts = {
  commandMs: 5 * minute,
  dataMs: 2 * minute,
  blockMs: 3 * minute,
  finalMs: 10 * minute,
};
