// Which waiting messages share the next commit. Pure: accept.ts does the rest.

import type { FirstStatus } from '../policy/first-status.ts';
import type { MessageRequest, RecipientRequest } from './dsn-parameters.ts';
import type { Labels } from './labels.ts';
import type { RepeatKey } from './repeat.ts';
import type { RewrittenSenders } from './rewrite.ts';

/** A message that has been read, checked, and only lacks the commit. */
export type Submission = MessageRequest &
  RepeatKey &
  Labels & {
    readonly queueId: string;
    readonly credential: string;
    /** The name of the key that the client logged in with, for the timeline. */
    readonly keyName?: string | undefined;
    /** Where it came from, for the timeline. */
    readonly client: string;
    readonly email: { readonly id: string; readonly token: Buffer } | undefined;
    readonly sender: string;
    /** Who spoke before RELAY_SENDER_REWRITE, for the timeline. */
    readonly were: RewrittenSenders;
    readonly headerFrom: string;
    readonly messageId: string;
    /** Of mail that has no row in email. */
    readonly subject?: string | undefined;
    readonly size: number;
    /** Whether the header needs SMTPUTF8 on the way; addresses speak for themselves. */
    readonly smtputf8: boolean;
    readonly eightBit: boolean;
    /** What the mail as a whole shows. */
    readonly status: FirstStatus;
    readonly recipients: readonly (FirstStatus & RecipientRequest & { readonly address: string })[];
    /** The only part, or undefined when all parts are stored already. */
    readonly content: Buffer | undefined;
  };

const mostMessages = 100;
const mostBytes = 4_194_304;
const mostRecipients = 5_000;

/**
 * Takes the next group from the front of the line and returns it with what stays. No two of a group are the same
 * mail: the second one of them must see what the first has committed, and is taken with a later group.
 */
export function nextGroup<One extends { readonly submission: Submission }>(
  line: readonly One[],
): { group: One[]; rest: One[] } {
  const group: One[] = [];
  const rest: One[] = [];
  const identities = new Set<string>();
  let bytes = 0;
  let recipients = 0;
  for (const waiting of line) {
    const { submission } = waiting;
    const identity = identityOf(submission);
    bytes += submission.content?.length ?? 0;
    recipients += submission.recipients.length;
    const fits = group.length < mostMessages && bytes <= mostBytes && recipients <= mostRecipients;
    if ((fits || group.length === 0) && !identities.has(identity)) group.push(waiting);
    else rest.push(waiting);
    // A twin that waits behind this one must not overtake it either.
    identities.add(identity);
  }
  return { group, rest };
}

function identityOf({ email, credential, key, digest, queueId }: Submission): string {
  if (email) return `email ${email.id}`;
  if (key) return `key ${credential} ${key.toString('latin1')}`;
  return digest ? `mail ${digest.toString('latin1')}` : `message ${queueId}`;
}
