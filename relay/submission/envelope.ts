// MAIL and RCPT: whether this client may send as this sender, and to this recipient. Pure.
import type { SMTPServerAddress, SMTPServerSession } from 'smtp-server';
import { normalizeAddress } from '../client/address/address.ts';
import { isAllowedSender } from '../client/address/allowed-senders.ts';
import type { SenderRule } from './keys.ts';
import { clearAuthHint, type Networks } from './networks.ts';
import { type Refusal, refuse, senderNotAllowed, wantsAuth } from './refusal.ts';

export type EnvelopeRules = {
  readonly networks: Networks;
  readonly senders: SenderRule;
};

/** The credential, or the trusted network that stands in for one; undefined for strangers. */
export function credentialOf(
  { user, remoteAddress }: Pick<SMTPServerSession, 'user' | 'remoteAddress'>,
  networks: Networks,
): string | undefined {
  return typeof user === 'string' ? user : networks.trusted(remoteAddress);
}

export function judgeSender(
  session: SMTPServerSession,
  { address, args }: SMTPServerAddress,
  { networks, senders: { allowed, setBy, rewriteTo } }: EnvelopeRules,
): Refusal | undefined {
  const unknown = unknownParameter(args, mailParameters);
  if (unknown) return unknown;
  if (credentialOf(session, networks) === undefined) {
    if (session.secure || networks.mayLogInClear(session.remoteAddress)) return wantsAuth;
    return networks.hidesClients(session.remoteAddress)
      ? refuse(530, '5.7.0', `Authentication required. ${clearAuthHint(session.remoteAddress)}`)
      : refuse(
          530,
          '5.7.0',
          'Authentication required, and from here only after STARTTLS (RELAY_TLS_CERT_FILE)',
        );
  }
  // The null sender is how bounces travel (RFC 5321 section 4.5.5); the header From still has to be allowed.
  // With RELAY_SENDER_REWRITE it is judged together with the header.
  if (address !== '' && rewriteTo === undefined && !isAllowedSender(address, allowed)) {
    return senderNotAllowed(address, 'MAIL FROM', allowed, setBy);
  }
  return judgeCharacters(session, address);
}

export function judgeRecipient(
  session: SMTPServerSession,
  { address, args }: SMTPServerAddress,
): Refusal | undefined {
  const unknown = unknownParameter(args, recipientParameters);
  if (unknown) return unknown;
  // smtp-server lets a bare "postmaster" pass, but no mailbox lives here.
  if (!address.includes('@')) return refuse(553, '5.1.3', 'The recipient needs a domain');
  return judgeCharacters(session, address);
}

/** RFC 6531 section 3.4: an address with a non-ASCII local part needs SMTPUTF8, which the client has to ask for. */
function judgeCharacters({ envelope }: SMTPServerSession, address: string): Refusal | undefined {
  if (envelope.smtpUtf8 || isAscii(normalizeAddress(address))) return undefined;
  return refuse(553, '5.6.7', 'The address is not ASCII and MAIL did not say SMTPUTF8');
}

// AUTH= belongs to AUTH (RFC 4954 section 5); what it says is for servers that trust one another, and changes nothing.
const mailParameters = ['SIZE', 'BODY', 'SMTPUTF8', 'AUTH'];
const recipientParameters: readonly string[] = [];

/** RFC 5321 section 4.1.1.11: to accept what no EHLO of ours has offered would promise it. */
function unknownParameter(args: SMTPServerAddress['args'], known: readonly string[]): Refusal | undefined {
  const unknown = Object.keys(args || {}).find((name) => !known.includes(name.toUpperCase()));
  return unknown === undefined
    ? undefined
    : refuse(555, '5.5.4', `The parameter ${unknown.slice(0, 40)} is not known here`);
}

const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);
