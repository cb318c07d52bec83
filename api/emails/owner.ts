// Keys own their mail. Whoever asked for a mail may read what it says and act on it, and so may `admin`; mail that was
// asked for with API_KEY or in the dashboard has no key and belongs to `admin`. `read` lists everything and sees what
// became of it. Mail that a key may not see does not exist for it: every operation answers 404, as for an unknown id.
import type { Queryable } from '../../deploy/database.ts';
import type { Email } from '../../relay/client/email/email.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { allows, type Principal, seesAll } from '../authenticate.ts';
import { Problem } from '../problem.ts';

type Owned = Pick<Email, 'apiKeyId'>;

/** Whether the principal may read its words and act on it. */
export const owns = (principal: Principal, { apiKeyId }: Owned): boolean =>
  principal.scopes.includes('admin') ||
  (allows(principal, 'send') && apiKeyId !== null && apiKeyId === principal.apiKeyId);

/** The key whose mail a list is limited to; undefined for whoever sees all mail, and asks for all of it. */
export function listedFor(principal: Principal, wanted?: string): string | undefined {
  if (seesAll(principal)) return wanted;
  // Nobody has `send` without a row of their own, but a list must never grow because one is missing.
  const own = principal.apiKeyId ?? nobody;
  return wanted === undefined || wanted === own ? own : nobody;
}

const nobody = '00000000-0000-0000-0000-000000000000';

/** The mail, for reading what became of it. Throws `not-found` when there is none that the principal may see. */
export async function readVisible(q: Queryable, emailId: string, principal: Principal): Promise<Email> {
  const email = await readEmail(q, emailId);
  if (!email || !(seesAll(principal) || owns(principal, email))) throw noSuchEmail(emailId);
  return email;
}

/** The mail, for acting on it. Throws `not-found` unless it is the principal's. */
export async function readOwn(q: Queryable, emailId: string, principal: Principal): Promise<Email> {
  const email = await readEmail(q, emailId);
  if (!email || !owns(principal, email)) throw noSuchEmail(emailId);
  return email;
}

export const noSuchEmail = (emailId: string) =>
  new Problem('not-found', `Email ${emailId} not found for this key.`);
