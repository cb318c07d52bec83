// What a key may send: as whom, and to how many.
import type { Queryable } from '../../deploy/database.ts';
import { firstAddressOf, isAllowedSender } from '../../relay/client/address/allowed-senders.ts';
import type { Address } from '../../relay/client/email/email.ts';
import { countMailOfKey } from '../../relay/client/keys/usage.ts';
import type { Principal } from '../authenticate.ts';
import { invalidFields } from '../faults.ts';
import { Problem } from '../problem.ts';

type Sender = Pick<Principal, 'sends' | 'apiKeyId'>;

export const maySendAs = ({ sends }: Sender, address: string): boolean =>
  !sends?.senders || isAllowedSender(address, sends.senders);

/** Throws `sender-not-allowed` unless the key may send as this address. */
export function permitSender(principal: Sender, address: string): void {
  if (!maySendAs(principal, address)) throw senderNotAllowed(principal, `as ${address}`);
}

/**
 * Who speaks in mail that names nobody: the usual sender where the key may, else the first address among its senders;
 * undefined where neither is known.
 */
export function usualSenderOf(principal: Sender, usual: Address | undefined): Address | undefined {
  if (usual && maySendAs(principal, usual.address)) return usual;
  const address = firstAddressOf(principal.sends?.senders ?? []);
  return address === undefined ? undefined : { address };
}

/** The same for mail that cannot name its sender. Throws `sender-not-allowed` where the key has no address to use. */
export function ownSenderOf(principal: Sender, usual: Address | undefined): Address | undefined {
  const sender = usualSenderOf(principal, usual);
  if (sender === undefined && usual !== undefined) throw senderNotAllowed(principal, `as ${usual.address}`);
  return sender;
}

function senderNotAllowed({ sends }: Sender, what: string): Problem {
  const allowed = sends?.senders ?? [];
  return new Problem(
    'sender-not-allowed',
    `This key may not send ${what}; it may send as ${allowed.slice(0, 8).join(', ')}.`,
    { members: { allowed } },
  );
}

/** Counts recipients against the limits of the key, in the transaction that stores their mail. Throws `rate-limited`. */
export async function countRecipients(tx: Queryable, principal: Sender, recipients: number): Promise<void> {
  if (!principal.sends?.isLimited || principal.apiKeyId === undefined || recipients === 0) return;
  const over = await countMailOfKey(tx, principal.apiKeyId, recipients);
  if (!over) return;
  const { span, maximum, used, seconds } = over;
  const may = `This key may send to ${maximum} recipients ${span === 'hour' ? 'an hour' : 'a day'}`;
  if (recipients > maximum) {
    // Waiting does not help.
    const detail = `has ${recipients} recipients. ${may}`;
    throw invalidFields([{ in: 'body', pointer: '#', detail, received: recipients, accepted: { maximum } }]);
  }
  throw new Problem('rate-limited', `${may}, and ${used} of them are used.`, {
    headers: { 'retry-after': String(seconds) },
    members: { span, limit: maximum, used },
  });
}
