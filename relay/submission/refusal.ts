// How a submission is turned down: the reply code, the enhanced status code (RFC 3463) and a sentence that tells the
// client what to change. A 4xx leaves the mail with the client; only what can never be taken is answered with 5xx.
import type { AllowedSenders } from '../client/address/allowed-senders.ts';

export type Refusal = {
  readonly code: number;
  /** Its class is that of the reply code; a test holds every refusal to that. */
  readonly enhanced: string;
  readonly text: string;
};

// RFC 5321 section 4.5.3.1.5: a reply line has at most 512 octets, with code and CRLF.
const longestText = 490;

/** One refusal. Throws on a reply code and enhanced code of different classes, because that is a bug of ours. */
export function refuse(code: number, enhanced: string, text: string): Refusal {
  if (enhanced[0] !== String(code)[0]) throw new Error(`${code} and ${enhanced} contradict each other`);
  // Texts quote what the client sent, and a reply is ASCII (RFC 5321 section 4.2) without SMTPUTF8.
  const plain = text.replace(/[^\x20-\x7e]/gu, '?');
  return { code, enhanced, text: plain.length > longestText ? `${plain.slice(0, longestText)}...` : plain };
}

/** As smtp-server wants to hear it. */
export function asReplyError({ code, enhanced, text }: Refusal): Error & { responseCode: number } {
  return Object.assign(new Error(`${enhanced} ${text}`), { responseCode: code });
}

export const databaseAway = refuse(451, '4.3.0', 'The queue is not available right now, try again later');
export const diskFull = refuse(452, '4.3.1', 'No storage left for more mail, try again later');
/** A bug of ours must not cost anybody their mail: the client keeps its copy, the log has the whole story. */
export const ourMistake = refuse(451, '4.3.0', 'Internal error, try again later');
export const wantsAuth = refuse(530, '5.7.0', 'Authentication required');

/** @param where the SMTP command or header field that names the sender */
export function senderNotAllowed(
  address: string,
  where: 'MAIL FROM' | 'From' | 'Sender' | 'Resent-From' | 'Resent-Sender',
  allowed: AllowedSenders,
  setBy = 'SMTP_ALLOWED_SENDERS',
): Refusal {
  const shown = allowed.slice(0, 8).join(', ');
  return refuse(
    550,
    '5.7.1',
    `Sender <${address}> in ${where} is not allowed here; allowed: ${shown} (${setBy})`,
  );
}
