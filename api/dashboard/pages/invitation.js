// An invitation in words: what became of it, and what inviting again does.
import { html } from './html.js';
import { Prose, Status } from './parts.js';
import { ago, causeWords, statusWords, withZone } from './words.js';

const isOver = ({ expires_at: ends }) => new Date(ends) <= Date.now();
const unsent = ['pending', 'queued', 'deferred', 'held'];

/** In a word, for lists. */
export function InvitationState({ invitation }) {
  const [tone, word] = stateOf(invitation);
  return word
    ? html`<span class=${`status ${tone}`}>${word}</span>`
    : html`<${Status} status=${invitation.status} />`;
}

function stateOf(invitation) {
  if (!invitation) return ['quiet', 'not invited'];
  if (invitation.accepted_at) return ['good', 'accepted'];
  if (invitation.revoked_at) return ['quiet', 'withdrawn'];
  if (isOver(invitation)) return ['care', 'link expired'];
  return invitation.status ? [] : ['waiting', 'sent long ago'];
}

export const Invitation = ({ invitation }) => html`
  ${
    invitation.status
      ? html`<a href=${`/emails/${invitation.email_id}`}><${Status} status=${invitation.status} /></a>`
      : html`<span class="soft">its email is no longer stored</span>`
  }
  ${' '}<span class="soft">
    ${
      invitation.accepted_at
        ? `accepted ${ago(invitation.accepted_at)}`
        : invitation.revoked_at
          ? 'withdrawn'
          : `ends ${ago(invitation.expires_at)}`
    }</span>`;

/** @param mail its email with recipients and causes; undefined when it is no longer stored */
export function InvitationNow({ invitation, mail, children }) {
  if (!invitation)
    return html`<section class="now quiet"><p class="lead">Nobody was invited yet.</p>${children}</section>`;
  const { email, causes } = mail ?? {};
  const tone = stateOf(invitation)[0] ?? statusWords[invitation.status].tone;
  const isTrouble = email && !['sent', 'cancelled'].includes(email.status);
  const words = isTrouble ? causeWords(email.reason, causes) : undefined;
  // Also of one that was taken: somebody may ask what the provider said.
  const reply = email?.recipients.find((each) => each.reply)?.reply;
  return html`<section class=${`now ${tone}`} aria-label="The last invitation">
    <p class="lead">${invitation.accepted_at ? `Accepted on ${withZone(invitation.accepted_at)}.` : sentenceOf(email)}</p>
    ${words && html`<p><b>${words.title}.</b> <${Prose} text=${words.fix || words.meaning} /></p>`}
    ${reply && html`<pre class="said">${reply}</pre>`}
    ${
      email?.status === 'suppressed' &&
      html`<p>While it is there, an invitation is not sent either. <a href=${`/suppressions?q=${encodeURIComponent(email.to[0].address)}`}>Why it is on the list</a></p>`
    }
    <p>${linkOf(invitation)} ${email && html`<a href=${`/emails/${email.id}`}>The email</a>`}</p>
    ${children}
  </section>`;
}

function sentenceOf(email) {
  if (!email) return 'It was sent long ago: its email is no longer stored.';
  const [{ address }] = email.to;
  const when = email.finished_at ? ` on ${withZone(email.finished_at)}` : '';
  switch (email.status) {
    case 'sent':
      return `Sent to ${address}${when}: the provider accepted it.`;
    case 'bounced':
      return `Bounced${when}: ${address} was refused.`;
    case 'suppressed':
      return `Not sent: ${address} is on the suppression list.`;
    default:
      return `To ${address}: ${statusWords[email.status].means}`;
  }
}

function linkOf(invitation) {
  if (invitation.accepted_at) return 'The link was used.';
  if (invitation.revoked_at) return `The link was withdrawn on ${withZone(invitation.revoked_at)}.`;
  const ends = withZone(invitation.expires_at);
  return isOver(invitation) ? `The link ended on ${ends}.` : `The link works until ${ends}.`;
}

/** What happens when the owner is invited again, as the api does it. */
export function consequences(invitation, owner) {
  const now = `A new link goes to ${owner.email}.`;
  if (!invitation || invitation.revoked_at) return now;
  const before = isOver(invitation)
    ? 'The earlier link has ended already.'
    : 'The earlier link stops working at once.';
  const waits = unsent.includes(invitation.status)
    ? ' The earlier email was not sent yet, and is cancelled.'
    : '';
  return `${now} ${before}${waits}`;
}
