// Whether an email that has the right shape can be accepted here and now: its sender, its size and its time, against
// what the relay said of itself.
import type { Queryable } from '../../deploy/database.ts';
import { isAllowedSender } from '../../relay/client/address/allowed-senders.ts';
import { readAuthors } from '../../relay/client/address/authors.ts';
import { asMailbox } from '../../relay/client/compose/header.ts';
import type { EmailDraft } from '../../relay/client/email/draft.ts';
import type { Address } from '../../relay/client/email/email.ts';
import { permit } from '../authenticate.ts';
import { invalidFields } from '../faults.ts';
import { maySendAs, permitSender, usualSenderOf } from '../keys/sends.ts';
import type { Call } from '../operation.ts';
import type { Fault } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { type EmailContext, type RequestedEmail, toDraft } from './draft.ts';
import { findPast, pastFault, readDue } from './due.ts';
import { makeLinks } from './list-unsubscribe.ts';

export type CheckedEmail = { readonly draft: EmailDraft } | { readonly faults: readonly Fault[] };

/**
 * Checks mails that have the right shape; each gets its draft or all its faults. Throws `forbidden` when one of them asks
 * for what the key may not.
 */
export async function checkEmails(
  q: Queryable,
  emails: readonly RequestedEmail[],
  context: EmailContext,
): Promise<CheckedEmail[]> {
  if (emails.some((each) => each.ignore_suppression))
    permit(context.principal, 'admin', 'ignore_suppression needs a key with the scope admin.');
  const readings = emails.map((each) => readDue(each));
  const past = await findPast(
    q,
    readings.map((reading) => ('due' in reading ? reading.due.dueAt : undefined)),
  );
  const oneClicks = await makeLinks(emails, context.unsubscribe);
  return emails.map((each, index) => {
    const reading = readings[index];
    const faults = checkAgainst(each, context);
    const oneClick = oneClicks[index];
    if (oneClick && 'pointer' in oneClick) faults.push(oneClick);
    if (!reading || 'faults' in reading) return { faults: [...(reading?.faults ?? []), ...faults] };
    if (past[index]) faults.push(pastFault(each.scheduled_datetime));
    if (faults.length > 0 || (oneClick && 'pointer' in oneClick)) return { faults };
    return { draft: toDraft(each, reading.due, context, oneClick) };
  });
}

/** The same for one mail. Throws `sender-not-allowed` or `invalid-fields`. */
export async function checkEmail(
  q: Queryable,
  email: RequestedEmail,
  context: EmailContext,
): Promise<EmailDraft> {
  if (email.from) permitSender(context.principal, email.from.address);
  const [checked] = await checkEmails(q, [email], context);
  if (!checked || 'faults' in checked) throw invalidFields(checked?.faults ?? []);
  return checked.draft;
}

/** What the relay said it would take, and who asks. */
export async function readEmailContext(
  q: Queryable,
  sending: Sending,
  { principal, traceparent }: Pick<Call, 'principal' | 'traceparent'>,
): Promise<EmailContext> {
  const [usual, limits] = await Promise.all([sending.sender(q), sending.limits(q)]);
  return {
    sender: usualSenderOf(principal, usual),
    ...limits,
    principal,
    traceparent,
    unsubscribe: sending.unsubscribe,
  };
}

/** What cannot be accepted here and now, although its shape is right. */
function checkAgainst(email: RequestedEmail, context: EmailContext): Fault[] {
  return [...checkSender(email.from, context), ...checkSize(email, context.maxMessageSize)];
}

function checkSender(
  from: Address | undefined,
  {
    allowedSenders: allowed,
    principal,
    sender,
  }: Pick<EmailContext, 'allowedSenders' | 'principal' | 'sender'>,
): Fault[] {
  const senders = principal.sends?.senders;
  if (from === undefined) {
    if (sender || !senders) return [];
    return [
      { in: 'body', pointer: '#/from', detail: 'is required: the senders of this key', accepted: senders },
    ];
  }
  const refuse = (detail: string, more: Partial<Fault> = {}): Fault[] => [
    { in: 'body', pointer: '#/from', detail, received: asMailbox(from), ...more },
  ];
  // The relay reads the finished field as strictly, and a refusal there would come after our 202.
  const reading = readAuthors(asMailbox(from));
  if ('fault' in reading) return refuse(`cannot be the sender: in the email it ${reading.fault}`);
  if (!maySendAs(principal, from.address)) {
    return refuse('is not an allowed sender of this key', { received: from.address, accepted: senders });
  }
  if (allowed === undefined || isAllowedSender(from.address, allowed)) return [];
  return refuse('is not an allowed sender', { received: from.address, accepted: allowed });
}

function checkSize(email: RequestedEmail, maxMessageSize: number): Fault[] {
  // Base64 in lines of 76 characters is what attachments take in the message; bodies take at most three octets
  // for one (quoted-printable), and the header fields are small.
  const attachments = (email.attachments ?? []).reduce(
    (sum, { content }) => sum + (Math.ceil(content.length / 3) * 4 * 78) / 76,
    0,
  );
  const bodies = Buffer.byteLength(email.text ?? '') + Buffer.byteLength(email.html ?? '');
  if (attachments + bodies + 4096 <= maxMessageSize) return [];
  return [
    {
      in: 'body',
      pointer: '#/attachments',
      detail: `and the bodies together make a message of more than ${maxMessageSize} bytes`,
      received: Math.round(attachments + bodies),
      accepted: { maximum: maxMessageSize },
    },
  ];
}
