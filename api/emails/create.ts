// Accepting single mails: checked against what the relay said of itself, stored in the caller's transaction.
import type { Queryable } from '../../deploy/database.ts';
import type { EmailDraft } from '../../relay/client/email.ts';
import { invalidFields } from '../faults.ts';
import type { Asked } from '../operation.ts';
import type { Fault } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { type AskedEmail, checkAgainst, type Surroundings, toDraft } from './draft.ts';
import { findPast, pastFault, readDue } from './due.ts';

export type Checked = { readonly draft: EmailDraft } | { readonly faults: readonly Fault[] };

/** Checks mails that have the right shape; each gets its draft or all its faults. */
export async function checkEmails(
  q: Queryable,
  asked: readonly AskedEmail[],
  surroundings: Surroundings,
): Promise<Checked[]> {
  const readings = asked.map((each) => readDue(each));
  const past = await findPast(
    q,
    readings.map((reading) => ('due' in reading ? reading.due.dueAt : undefined)),
  );
  return asked.map((each, index) => {
    const reading = readings[index];
    const faults = checkAgainst(each, surroundings);
    if (!reading || 'faults' in reading) return { faults: [...(reading?.faults ?? []), ...faults] };
    if (past[index]) faults.push(pastFault(each.scheduled_datetime));
    return faults.length > 0 ? { faults } : { draft: toDraft(each, reading.due, surroundings) };
  });
}

/** The same for one mail. Throws `invalid-fields`. */
export async function checkEmail(
  q: Queryable,
  asked: AskedEmail,
  surroundings: Surroundings,
): Promise<EmailDraft> {
  const [checked] = await checkEmails(q, [asked], surroundings);
  if (!checked || 'faults' in checked) throw invalidFields(checked?.faults ?? []);
  return checked.draft;
}

/** What the relay said it would take, and who asks. */
export async function surroundingsOf(
  q: Queryable,
  sending: Sending,
  { principal, traceparent }: Pick<Asked, 'principal' | 'traceparent'>,
): Promise<Surroundings> {
  const [sender, limits] = await Promise.all([sending.sender(q), sending.limits(q)]);
  return { sender, ...limits, apiKeyId: principal.apiKeyId, traceparent };
}
