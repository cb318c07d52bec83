// Whether a refusal shows that an address is not worth writing to again. Pure. Only a fault of the recipient itself does:
// never a full mailbox, a policy, a reputation, the content, a quota or the sender.

/** `once`: this one is enough. `twice`: it takes another mail to it that was refused at least 24 hours earlier. */
export type Proof = 'once' | 'twice';

/**
 * A mailbox that is closed today may be open tomorrow. And a domain that cannot be found may be found again when its owner
 * has paid for it, or when the provider's resolver works.
 */
const proofs: Readonly<Record<string, Proof>> = {
  'user-unknown': 'once',
  'mailbox-disabled': 'twice',
  'bad-domain': 'twice',
};

export const proofOfCause = (cause: string | null): Proof | undefined =>
  cause === null ? undefined : proofs[cause];

export type Refusal = {
  readonly stage: string;
  readonly cause: string | null;
  /** RFC 3463. */
  readonly enhanced: string | null;
  readonly reply: string | undefined;
};

/** Of a reply for good. After RCPT it is about the mail, whatever it says. */
export function proofOfRefusal({ stage, cause, enhanced, reply }: Refusal): Proof | undefined {
  // Filters like to say "user unknown" beside a code for policy.
  const proof = stage === 'rcpt' && !enhanced?.startsWith('5.7.') ? proofOfCause(cause) : undefined;
  if (proof !== 'once') return proof;
  const isUnmistakable = enhanced === null ? saysSo.test(reply ?? '') : noSuchMailbox.test(enhanced);
  return isUnmistakable ? 'once' : 'twice';
}

// RFC 3463 §3.2: bad mailbox, mailbox has moved; and what Exchange has for "recipient not found".
const noSuchMailbox = /^5\.1\.(?:1|6|10)$/;

/** Servers without enhanced codes, such as Exim. "Mailbox unavailable" may mean anything. */
const saysSo =
  /no such (?:user|mailbox|recipient|person)|(?:user|recipient|mailbox) unknown|unknown (?:user|recipient|mailbox)|(?:user|mailbox|recipient|account) (?:does not|doesn't) exist|(?:user|mailbox|recipient) not found|no mailbox here/i;
