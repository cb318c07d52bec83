// One email: what is true of it now, its way, how it looks, and what can be done.
import { Actions } from './actions.js';
import { ask } from './ask.js';
import { Fix } from './fix.js';
import { Heard } from './heard.js';
import { html } from './html.js';
import { Labels, SentAgain } from './labels.js';
import { useOverview } from './live.js';
import { Look } from './look.js';
import { Copy, Crumbs, Fault, Moment, Prose, Status, useLoaded, useTitle } from './parts.js';
import { Recipients } from './recipients.js';
import { Timeline } from './timeline.js';
import { verdictOf } from './verdict.js';
import { ago, at, causeWords, inZone, mailbox, span, statusWords, utc } from './words.js';

export function EmailPage({ id }) {
  const { value, error } = useLoaded(() => ask(`/dashboard/emails/${id}`), [id], { about: id });
  useTitle(value ? value.email.subject || '(no subject)' : 'Email');
  if (error && !value)
    return html`<h1>Email not found</h1><${Fault} error=${error} /><p><a href="/emails">All emails</a></p>`;
  if (!value) return html`<h1 class="unseen">Email</h1><p class="soft" role="status">Loading …</p>`;
  const { email, events, attachments, heard, remote, causes, sent_again: sentAgain } = value;
  return html`
    <${Crumbs} />
    <header class="title mail">
      <h1>${email.subject || '(no subject)'}</h1>
      <${Status} status=${email.status} paused=${email.paused && email.status === 'pending'} />
    </header>
    <${Now} email=${email} causes=${causes} />
    <${Actions} email=${email} />
    <${Envelope} email=${email} sentAgain=${sentAgain} />
    <div class="mail-columns">
      <section>
        <h2>Timeline</h2>
        <${Timeline} events=${events} causes=${causes} said=${email.reason} />
        <${Heard} heard=${heard} />
      </section>
      <section>
        <${Look} email=${email} attachments=${attachments} remote=${remote} path=${`/dashboard/emails/${email.id}`} />
      </section>
    </div>`;
}

/** One or two sentences: what is true, and what to do if that is not what one hoped for. */
function Now({ email, causes }) {
  const words = causeWords(email.reason, causes);
  const { tone } = statusWords[email.status];
  const replies = email.recipients.filter(({ reply }) => reply);
  const { overview } = useOverview();
  const waits =
    email.status === 'queued' ||
    (email.status === 'pending' && new Date(email.scheduled_datetime) <= Date.now());
  const verdict = waits && overview ? verdictOf(overview) : undefined;
  const blocked = verdict?.tone === 'bad' ? verdict : undefined;
  const hold = heldSenderOf(email, overview);
  const isTrouble = ['held', 'bounced', 'deferred', 'uncertain', 'expired'].includes(email.status);
  return html`<section class=${`now ${tone}`}>
    <p class="lead">${blocked ? 'Waits until mail can leave. Nothing is lost.' : sentenceOf(email)}</p>
    ${blocked && html`<p><b><${Prose} text=${blocked.title} />.</b> <a href="/">What to do about it</a></p>`}
    ${isTrouble && words && html`<p><b>${words.title}.</b> <${Prose} text=${words.meaning} /></p>`}
    ${isTrouble && html`<${Fix} text=${words?.fix} />`}
    ${
      new Date(hold?.next_probe_at ?? 0) > Date.now() &&
      html`<p class="soft">The next attempt is ${ago(hold.next_probe_at)}. "Try again now" does it at once.</p>`
    }
    ${
      isTrouble &&
      email.reason_detail &&
      !replies.some(({ reply }) => email.reason_detail.includes(reply)) &&
      html`<pre class="said">${email.reason_detail}</pre>`
    }
    ${email.recipients.length > 0 && html`<${Recipients} recipients=${email.recipients} causes=${causes} isSaid=${(cause) => isTrouble && cause === email.reason} isBlocked=${blocked !== undefined} />`}
  </section>`;
}

/** The hold that keeps this mail, while it does. */
const heldSenderOf = ({ status, reason, from }, overview) =>
  status === 'held'
    ? (overview?.relay?.lanes ?? [])
        .flatMap(({ held_senders: senders }) => senders)
        .find(({ sender, cause }) => cause === reason && sender === from?.address)
    : undefined;

function sentenceOf(email) {
  const { status, paused, scheduled_datetime: due, finished_at: finished, lateness_ms: lateness } = email;
  if (paused && status === 'pending') return 'On hold until somebody releases it.';
  if (status === 'pending' && new Date(due) > Date.now())
    return `Leaves ${ago(due)}, on ${inZone(due, email.time_zone)}.`;
  if (status === 'pending') return 'Waits for the hand-over to the relay.';
  if (status === 'sent')
    return `The provider accepted it at ${at(finished)}${lateness === null ? '' : `, ${span(Math.max(0, lateness))} after it was due`}.`;
  return statusWords[status].means;
}

function Envelope({ email, sentAgain }) {
  const line = (label, addresses) =>
    addresses.length > 0 &&
    html`<dt>${label}</dt><dd>${addresses.map((each, index) => html`<span class="box" key=${each.address}>${mailbox(each)}${index < addresses.length - 1 ? ',' : ''}</span> `)}</dd>`;
  return html`<dl class="envelope">
    ${line('To', email.to)}${line('Cc', email.cc)}${line('Bcc', email.bcc)}
    <dt>From</dt><dd>${email.from ? mailbox(email.from) : html`<span class="soft">not known yet</span>`}</dd>
    ${line('Reply to', email.reply_to)}
    <dt>Created</dt><dd><${Moment} time=${email.created_at} /></dd>
    ${email.finished_at && html`<dt>${email.status === 'sent' ? 'Sent' : 'Finished'}</dt><dd><${Moment} time=${email.finished_at} /></dd>`}
    ${
      email.kind === 'scheduled' || new Date(email.scheduled_datetime) - new Date(email.created_at) > 5_000
        ? html`<dt>Due</dt><dd>${inZone(email.scheduled_datetime, email.time_zone)}${email.time_zone ? ` (${email.time_zone})` : ''}
            ${' '}<span class="soft">${utc(email.scheduled_datetime)}</span></dd>`
        : null
    }
    ${email.api_key && html`<dt>Key</dt><dd>${email.api_key.name}</dd>`}
    ${email.client_id && html`<dt>Client</dt><dd>${email.client_id}${email.key ? `, ${email.key}` : ''}</dd>`}
    ${email.customer_id && html`<dt>Customer</dt><dd><a href=${`/customers/${email.customer_id}`}>${email.customer_id}</a></dd>`}
    <dt>Kind</dt><dd>${email.kind} <${Labels} tags=${email.tags} stream=${email.stream} /></dd>
    ${email.again_of && html`<dt>Sends again</dt><dd><a href=${`/emails/${email.again_of}`}>an earlier email</a></dd>`}
    <${SentAgain} emails=${sentAgain} source="api" />
    <dt>Message-ID</dt><dd><code>${email.message_id}</code> <${Copy} text=${email.message_id} what="the Message-ID" /></dd>
    <dt>Id</dt><dd><code>${email.id}</code> <${Copy} text=${email.id} what="the id" /></dd>
  </dl>`;
}
