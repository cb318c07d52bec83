// Who may be named as a sender. A provider refuses, or silently drops, mail from addresses that the account does not
// own; the client learns it here, at the door, and together with the addresses that would do.
import { domainToASCII } from 'node:url';
import { type Refusal, refuse } from './refusal.ts';

/** Addresses, `*@domain`, or `*` for everybody. */
export type AllowedSenders = readonly string[];

export function isAllowedSender(address: string, allowed: AllowedSenders): boolean {
  const sender = normalizeAddress(address).toLowerCase();
  const domain = sender.slice(sender.lastIndexOf('@'));
  return allowed.some((entry) => {
    const wanted = normalizeAddress(entry).toLowerCase();
    return wanted === '*' || wanted === sender || (wanted.startsWith('*@') && wanted.slice(1) === domain);
  });
}

/** @param where the SMTP command or header field that names the sender */
export function senderNotAllowed(
  address: string,
  where: 'MAIL FROM' | 'From' | 'Sender' | 'Resent-From' | 'Resent-Sender',
  allowed: AllowedSenders,
): Refusal {
  const shown = allowed.slice(0, 8).join(', ');
  return refuse(
    550,
    '5.7.1',
    `Sender <${address}> in ${where} is not allowed here; allowed: ${shown} (SMTP_ALLOWED_SENDERS)`,
  );
}

/**
 * The address with its domain as A-labels. smtp-server hands out U-labels whatever the client sent; a domain
 * never needs SMTPUTF8, and with A-labels a provider without it takes the mail as well (RFC 6531 section 3.2).
 */
export function normalizeAddress(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  if (at < 0 || isPlain(domain)) return address;
  return `${address.slice(0, at)}@${domainToASCII(domain) || domain}`;
}

/** Letters, digits and the punctuation of domains and address literals: nothing to convert. */
const isPlain = (domain: string) => /^[\x21-\x7e]*$/.test(domain);
