// Who may be named as a sender. A provider refuses, or silently drops, mail from addresses that the account does not
// own; the client learns it here, at the door, and together with the addresses that would do.
import { comparableAddress, domainOf } from '../client/address/address.ts';
import { type Refusal, refuse } from '../submission/refusal.ts';

/** Addresses, `*@domain`, or `*` for everybody. */
export type AllowedSenders = readonly string[];

export function isAllowedSender(address: string, allowed: AllowedSenders): boolean {
  const sender = comparableAddress(address);
  const anyOfDomain = `*@${domainOf(sender)}`;
  return allowed.some((entry) => {
    const wanted = comparableAddress(entry);
    return wanted === '*' || wanted === sender || wanted === anyOfDomain;
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
