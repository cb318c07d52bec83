// What the relay's replies mean for the email that was handed over.

export type HandOverResult =
  /** The relay has committed it and taken responsibility. */
  | { readonly outcome: 'accepted'; readonly queueId: string }
  /** The relay will never take this email as it is (5xx). */
  | {
      readonly outcome: 'refused';
      readonly code: number;
      readonly enhanced: string | null;
      readonly reply: string;
    }
  /** Nothing was said against this email: the relay is away, busy, or does not know us. Try again later. */
  | { readonly outcome: 'away'; readonly why: string };

/** How nodemailer's SMTP client fails. */
export type SmtpError = Error & { code?: string; response?: string; responseCode?: number; command?: string };

/** @param reply the one to the final dot */
export function resultOfReply(reply: string): HandOverResult {
  const queueId = /\bqueued as (\S+)/.exec(reply)?.[1];
  return queueId
    ? { outcome: 'accepted', queueId }
    : { outcome: 'away', why: `this is not our relay: it answered ${JSON.stringify(reply)}` };
}

/**
 * What the relay said about this very message. Undefined when it said nothing about it: the connection broke, the
 * relay is going down, or it does not take mail from us at all.
 */
export function resultOfError(error: SmtpError, size: number): HandOverResult | undefined {
  // The client itself compares with the SIZE that the relay announced (RFC 1870).
  if (error.code === 'EMESSAGE' && error.command === 'MAIL FROM' && !error.responseCode) {
    return {
      outcome: 'refused',
      code: 552,
      enhanced: '5.3.4',
      reply: `${error.message} bytes; this has ${size}`,
    };
  }
  // What the client found wrong with an address before it said a word.
  if (error.code === 'EENVELOPE' && error.command === 'API') {
    return { outcome: 'refused', code: 553, enhanced: '5.1.3', reply: error.message };
  }
  const { responseCode: code, response: reply = '', command = '' } = error;
  if (!code || code === 421 || code === 530 || !messageCommands.has(command)) return undefined;
  if (code < 500) return { outcome: 'away', why: `the relay answered: ${reply}` };
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(reply)?.[1] ?? null;
  return { outcome: 'refused', code, enhanced, reply };
}

const messageCommands = new Set(['MAIL FROM', 'RCPT TO', 'DATA']);

/** The relay closed the session, or said that it will: another one may be fine. */
export const isHangUp = ({ code, responseCode }: SmtpError): boolean =>
  responseCode === 421 || (!responseCode && (code === 'ECONNECTION' || code === 'ESOCKET'));
