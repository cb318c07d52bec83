// One email: what is true of it now, its way, how it looks, and what can be done.
import { useEffect, useState } from 'preact/hooks';
import { ask } from './ask.js';
import { Heard } from './heard.js';
import { html } from './html.js';
import { useOverview } from './live.js';
import { Action, Copy, Fault, Prose, Status, Time, useLoaded } from './parts.js';
import { Timeline } from './timeline.js';
import { verdictOf } from './verdict.js';
import {
  ago,
  at,
  bytes,
  causeWords,
  inZone,
  mailbox,
  nextAttempt,
  plural,
  span,
  statusWords,
  utc,
} from './words.js';

export function EmailPage({ id }) {
  const { value, error } = useLoaded(() => ask(`/dashboard/emails/${id}`), [id], { about: id });
  if (error && !value)
    return html`<h1>Email not found</h1><${Fault} error=${error} /><p><a href="/emails">All emails</a></p>`;
  if (!value) return html`<h1 class="unseen">Email</h1><p class="soft" role="status">Loading …</p>`;
  const { email, events, attachments, heard, remote, causes } = value;
  return html`
    <nav class="crumbs" aria-label="Where this is"><a href="/emails">Emails</a></nav>
    <header class="title mail">
      <h1>${email.subject || '(no subject)'}</h1>
      <${Status} status=${email.status} paused=${email.paused && email.status === 'pending'} />
    </header>
    <${Now} email=${email} causes=${causes} />
    <${Actions} email=${email} />
    <${Envelope} email=${email} />
    <div class="mail-columns">
      <section>
        <h2>Timeline</h2>
        <${Timeline} events=${events} causes=${causes} />
        <${Heard} heard=${heard} />
      </section>
      <section>
        <${Looks} email=${email} attachments=${attachments} remote=${remote} />
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
    <p class="lead">${sentenceOf(email)}</p>
    ${blocked && html`<p><b>${blocked.title}.</b> <a href="/">What to do about it</a></p>`}
    ${isTrouble && words && html`<p><b>${words.title}.</b> <${Prose} text=${words.meaning} /></p>`}
    ${isTrouble && words?.fix && html`<p class="fix"><b>Do this:</b> <${Prose} text=${words.fix} /></p>`}
    ${
      hold?.next_probe_at &&
      html`<p class="soft">The next attempt is ${ago(hold.next_probe_at)}. "Try again now" does it at once.</p>`
    }
    ${
      isTrouble &&
      email.reason_detail &&
      !replies.some(({ reply }) => email.reason_detail.includes(reply)) &&
      html`<pre class="said">${email.reason_detail}</pre>`
    }
    ${
      email.recipients.length > 0 &&
      html`<ul class="recipients">
        ${email.recipients.map(
          (recipient) => html`<li key=${recipient.address}>
            ${email.recipients.length > 1 && html`<${Status} status=${recipient.status} />`}
            ${email.recipients.length > 1 && html`<span>${recipient.address}</span>`}
            ${recipient.reply && html`<pre class="said">${recipient.reply}</pre>`}
            ${
              recipient.next_attempt_at &&
              ['queued', 'deferred'].includes(recipient.status) &&
              html`<span class="soft">${nextAttempt(recipient)}</span>`
            }
          </li>`,
        )}
      </ul>`
    }
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

function Actions({ email }) {
  const [error, setError] = useState();
  const { status, paused, queue_id: queueId } = email;
  const { overview } = useOverview();
  useEffect(() => setError(undefined), [status]);
  const act = (name) => async () => {
    const { results } = await ask('/dashboard/emails/act', {
      method: 'POST',
      body: { act: name, ids: [email.id] },
    });
    if (results[0].outcome !== 'done')
      throw new Error(`Not possible any more: the email is now ${results[0].status}.`);
  };
  const isAtHome = queueId === null;
  const lanes = overview?.relay?.lanes ?? [];
  const isShut = lanes.length > 0 && lanes.every(({ state }) => state !== 'open');
  const isEarly = status === 'pending' && new Date(email.scheduled_datetime) > Date.now();
  const buttons = [
    (['held', 'deferred', 'expired', 'bounced'].includes(status) ||
      (status === 'queued' && isShut) ||
      (status === 'pending' && !paused && !isEarly)) &&
      html`<${Action} kind="primary" does=${act('retry')} onError=${setError}>Try again now</${Action}>`,
    isEarly &&
      html`<${Action} kind=${paused ? '' : 'primary'} does=${act('send-now')} onError=${setError}
      confirm=${{ title: 'Send it now?', text: `It is due ${ago(email.scheduled_datetime)}.`, yes: 'Send now' }}>Send now</${Action}>`,
    isAtHome &&
      status === 'pending' &&
      !paused &&
      html`<${Action} does=${act('hold')} onError=${setError}>Hold</${Action}>`,
    isAtHome &&
      paused &&
      status === 'pending' &&
      html`<${Action} kind="primary" does=${act('release')} onError=${setError}>Release</${Action}>`,
    status === 'uncertain' || (status === 'held' && email.reason === 'uncertain-twice')
      ? html`
        <${Action} does=${act('resolve-sent')} onError=${setError}>It arrived</${Action}>
        <${Action} does=${act('resolve-resend')} onError=${setError}
          confirm=${{ title: 'Send it again?', text: 'If it arrived, the recipient gets it twice.', yes: 'Send again' }}>Send it again</${Action}>
        <${Action} does=${act('resolve-cancelled')} onError=${setError}>Do not send again</${Action}>`
      : null,
    ['pending', 'queued', 'deferred', 'held'].includes(status) &&
      html`<${Action} kind="danger" does=${act('cancel')} onError=${setError}
        confirm=${{ title: 'Cancel this email?', text: 'It will not be sent. This cannot be undone.', yes: 'Cancel the email', no: 'Keep it', danger: true }}>Cancel</${Action}>`,
  ].filter(Boolean);
  if (buttons.length === 0) return null;
  return html`<div class="actions" role="group" aria-label="Actions">${buttons}<${Fault} error=${error} /></div>`;
}

function Envelope({ email }) {
  const line = (label, addresses) =>
    addresses.length > 0 && html`<dt>${label}</dt><dd>${addresses.map(mailbox).join(', ')}</dd>`;
  return html`<dl class="envelope">
    ${line('To', email.to)}${line('Cc', email.cc)}${line('Bcc', email.bcc)}
    <dt>From</dt><dd>${email.from ? mailbox(email.from) : html`<span class="soft">not known yet</span>`}</dd>
    ${line('Reply to', email.reply_to)}
    <dt>Created</dt><dd><${Time} time=${email.created_at} /> <span class="soft">${email.kind}</span></dd>
    ${
      email.kind === 'scheduled' || new Date(email.scheduled_datetime) - new Date(email.created_at) > 5_000
        ? html`<dt>Due</dt><dd>${inZone(email.scheduled_datetime, email.time_zone)}${email.time_zone ? ` (${email.time_zone})` : ''}
            ${' '}<span class="soft">${utc(email.scheduled_datetime)}</span></dd>`
        : null
    }
    ${email.api_key && html`<dt>Key</dt><dd>${email.api_key.name}</dd>`}
    ${email.client_id && html`<dt>Client</dt><dd>${email.client_id}${email.key ? `, ${email.key}` : ''}</dd>`}
    ${email.customer_id && html`<dt>Customer</dt><dd><a href=${`/customers?id=${email.customer_id}`}>${email.customer_id}</a></dd>`}
    <dt>Id</dt><dd><code>${email.id}</code> <${Copy} text=${email.id} /></dd>
  </dl>`;
}

const views = [
  { name: 'HTML', shown: ({ email }) => email.html !== null },
  { name: 'Text', shown: ({ email }) => email.text !== null },
  { name: 'Headers', shown: () => true },
  { name: 'Source', shown: () => true },
  { name: 'Attachments', shown: ({ attachments }) => attachments.length > 0 },
];

function Looks({ email, attachments, remote }) {
  const there = views.filter(({ shown }) => shown({ email, attachments }));
  const [view, setView] = useState(there[0].name);
  const [source, setSource] = useState();
  const [error, setError] = useState();
  useEffect(() => {
    if ((view !== 'Source' && view !== 'Headers') || source !== undefined) return;
    fetch(`/dashboard/emails/${email.id}/source`)
      .then(async (response) => {
        if (!response.ok) throw new Error('The source of this email is no longer stored.');
        setSource(await response.text());
      })
      .catch(setError);
  }, [view]);
  const key = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const index = (there.findIndex(({ name }) => name === view) + step + there.length) % there.length;
    setView(there[index].name);
    event.currentTarget.children[index].focus();
  };
  return html`
    <div class="tabs" role="tablist" aria-label="View" onKeyDown=${key}>
      ${there.map(
        ({
          name,
        }) => html`<button type="button" role="tab" key=${name} id=${`tab-${name}`} aria-controls="look"
          aria-selected=${name === view} tabindex=${name === view ? 0 : -1} onClick=${() => setView(name)}>${name}${
            name === 'Attachments' ? ` (${attachments.length})` : ''
          }</button>`,
      )}
    </div>
    <div id="look" role="tabpanel" aria-labelledby=${`tab-${view}`} class="look">
      ${view === 'HTML' && remote > 0 && html`<p class="note">${plural(remote, 'remote resource')} not loaded, so the sender cannot see that you read it.</p>`}
      ${
        view === 'HTML' &&
        html`<iframe title="The email as HTML" sandbox="" referrerpolicy="no-referrer" src=${`/dashboard/emails/${email.id}/preview`}></iframe>`
      }
      ${view === 'Text' && html`<pre class="text" tabindex="0">${email.text}</pre>`}
      ${view === 'Headers' && html`<pre class="source" tabindex="0">${source?.split(/\r?\n\r?\n/, 1)[0] ?? ''}</pre>`}
      ${view === 'Source' && html`<pre class="source" tabindex="0">${source ?? ''}</pre>`}
      ${(view === 'Source' || view === 'Headers') && html`<${Fault} error=${error} />`}
      ${
        view === 'Attachments' &&
        html`<ul class="facts-list">${attachments.map(
          ({ ordinal, filename, content_type: type, size }) => html`<li key=${ordinal}><div>
            <a href=${`/dashboard/emails/${email.id}/attachments/${ordinal}`} download>${filename}</a>
            <div class="soft">${type}, ${bytes(size)}</div></div></li>`,
        )}</ul>`
      }
      ${email.erased_at && html`<p class="soft">The body was erased ${ago(email.erased_at)}.</p>`}
    </div>`;
}
