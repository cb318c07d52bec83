// The invitation: a mail with a link whose token works once and not for ever. The token is 256 random bits and is
// stored as its SHA-256 only, so it is looked up by digest: nothing of it is compared byte by byte.
import { createHash, randomBytes } from 'node:crypto';
import type { Queryable } from '../../deploy/database.ts';
import type { EmailDraft } from '../../relay/client/email/draft.ts';
import type { Address } from '../../relay/client/email/email.ts';
import { type InsertedEmail, insertEmails } from '../../relay/client/email/insert.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { render, standardTemplates, type Template } from '../templates/render.ts';
import { insertInvitationRows } from './invitation-store.ts';

export const invitationLastsDays = 7;

type Token = { readonly text: string; readonly hash: Buffer };

export function newToken(): Token {
  const text = randomBytes(32).toString('base64url');
  return { text, hash: hashToken(text) };
}

export const hashToken = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * Where the owner accepts. The token stands behind the `#`: browsers keep that to themselves, so it is in
 * no server's log and in no Referer.
 */
function invitationLink(publicUrl: string, token: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/invitation#token=${token}`;
}

const dateInWords = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'full',
  timeStyle: 'short',
  timeZone: 'UTC',
});

/** "Sunday, 1 March 2026 at 09:00 UTC": whoever reads it may be anywhere. */
const inWords = (instant: Date) => `${dateInWords.format(instant)} UTC`;

export type Invite = {
  readonly from: Address | undefined;
  readonly publicUrl: string;
  readonly apiKeyId: string | undefined;
  readonly traceparent: string;
};

export type NewInvitation = { readonly email: InsertedEmail; readonly expiresAt: Date };

export type Invitation = Invite & {
  readonly token: Token;
  readonly expiresAt: Date;
  readonly customer: { readonly id: string; readonly name: string };
  readonly owner: { readonly id: string; readonly name: string; readonly email: string };
  /** The administrator's words, if any. */
  readonly template: Template | undefined;
};

/** Stores invitations and their mails inside the caller's transaction; the mails are in the same order. */
export async function insertInvitations(
  tx: Queryable,
  invitations: readonly Invitation[],
): Promise<InsertedEmail[]> {
  if (invitations.length === 0) return [];
  const emails = await insertEmails(tx, invitations.map(toInvitationDraft));
  await insertInvitationRows(tx, invitations, emails);
  return emails;
}

function toInvitationDraft({
  token,
  expiresAt,
  customer,
  owner,
  template,
  from,
  publicUrl,
  apiKeyId,
  traceparent,
}: Invitation): EmailDraft {
  const words = render(template ?? standardTemplates.invitation, {
    name: owner.name,
    customer: customer.name,
    link: invitationLink(publicUrl, token.text),
    expires: inWords(expiresAt),
  });
  return {
    kind: 'invitation',
    from,
    recipients: [{ kind: 'to', address: owner.email, name: owner.name }],
    subject: words.subject,
    text: words.text,
    html: words.html,
    customerId: customer.id,
    apiKeyId,
    traceparent,
  };
}

/** Without a From address an email is held from the start, otherwise it waits for its hand-over. */
export const initialStatus = ({ claim }: InsertedEmail): Status => (claim ? 'pending' : 'held');

/** An invitation that was just made, as the API shows it. */
export const viewNewInvitation = ({ email, expiresAt }: NewInvitation, status = initialStatus(email)) => ({
  email_id: email.id,
  status,
  expires_at: expiresAt.toISOString(),
  accepted_at: null,
  revoked_at: null,
});
