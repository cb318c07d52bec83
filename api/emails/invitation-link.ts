// The link of an invitation lets whoever holds it into the account. The token is stored hashed, so the mail that carried
// it must not tell it either: once the mail may have left, the link is shown to nobody.
import type { Email } from '../../relay/client/email/email.ts';
import type { Status } from '../../relay/client/vocabulary.ts';

// Also as quoted-printable and HTML write the `=`: providers quote what they refuse.
const link = /(\binvitation#token(?:=(?:3D)?|&#(?:61|x3D);))[\w-]+/gi;

/** What has certainly not reached the provider. A captured mail never does: it is there to be read. */
const notSent: readonly Status[] = ['pending', 'held', 'queued', 'deferred', 'captured'];

export const hidesLink = ({ kind, status }: Pick<Email, 'kind' | 'status'>): boolean =>
  kind === 'invitation' && !notSent.includes(status);

export const withoutLink = (text: string): string => text.replaceAll(link, '$1(not-shown)');

/** The mail as it may be shown: without the link, when that has left. */
export function shownEmail(email: Email): Email {
  if (!hidesLink(email)) return email;
  return {
    ...email,
    subject: withoutLink(email.subject),
    text: email.text === null ? null : withoutLink(email.text),
    html: email.html === null ? null : withoutLink(email.html),
  };
}

/** What a timeline tells, without links that a provider's reply may quote. */
export function withoutLinks(detail: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(withoutLink(JSON.stringify(detail))) as Record<string, unknown>;
}
