// Mail of other applications, handed in over SMTP: the same queue, the same timeline, no body of ours to show.
import { ask, withQuery } from './ask.js';
import { Heard } from './heard.js';
import { html } from './html.js';
import { Empty, Fault, Prose, Status, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { Timeline } from './timeline.js';
import { bytes, causeWords, nextAttempt } from './words.js';

export function Submitted({ query: { after, key } }) {
  const { value, error, loading } = useLoaded(
    () => ask(withQuery('/dashboard/submitted', { after, key })),
    [after, key],
    {
      live: after === undefined,
    },
  );
  const messages = value?.data ?? [];
  return html`
    <header class="title"><h1>Over SMTP</h1></header>
    <p class="soft">Emails that other applications submitted to the relay over SMTP.
      ${key && html`Only those of the key ${messages[0]?.api_key?.name ?? key}. <button type="button" class="small" onClick=${() => goWith({ key: undefined })}>Show all</button>`}</p>
    <${Fault} error=${error} />
    ${
      messages.length === 0 && !loading
        ? html`<${Empty} title="Nothing yet.">
            <p>Point an application at the relay’s port 2525 with an account of <code>RELAY_USERS</code>, or with a key that may send as its password.</p></${Empty}>`
        : html`<table class="rows"><thead><tr><th class="state">Status</th><th>From</th><th>To</th><th>By</th><th class="when">When</th></tr></thead>
          <tbody>${messages.map(
            (message) => html`<tr key=${message.id}>
              <td><${Status} status=${message.recipients?.[0]?.status} /></td>
              <td class="main"><a class="subject" href=${`/submitted/${message.id}`}>${message.header_from || message.sender}</a>
                ${message.recipients?.[0]?.reason && html`<span class="why">${causeWords(message.recipients[0].reason, value.causes).title}</span>`}</td>
              <td class="to">${message.recipients?.[0]?.address}${
                message.recipients?.length > 1
                  ? html` <span class="soft">+${message.recipients.length - 1}</span>`
                  : ''
              }</td>
              <td><${By} message=${message} /></td>
              <td class="when"><${Time} time=${message.received_at} /></td>
            </tr>`,
          )}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${after === undefined && key === undefined && html`<${Refusals} />`}`;
}

/** The key that the application logged in with, or its name in RELAY_USERS. */
const By = ({ message: { api_key: key, credential } }) =>
  key ? html`<a href=${`/submitted?key=${key.id}`}>${key.name}</a>` : credential;

/** Whoever misses a mail in the list above finds here why it was not taken. */
function Refusals() {
  const { value, error } = useLoaded(() => ask('/dashboard/refusals'), [], { live: true });
  const refusals = value?.data ?? [];
  if (refusals.length === 0) return html`<${Fault} error=${error} />`;
  return html`
    <section aria-labelledby="refusals"><h2 id="refusals">Refused</h2>
      <p class="soft">Submissions that the relay refused, with its reply. Repeats within an hour are one line.</p>
      <table class="rows"><thead><tr><th>Client</th><th>Command</th><th>Reply</th><th>Count</th><th class="when">Last</th></tr></thead>
        <tbody>${refusals.map(
          (
            refusal,
          ) => html`<tr key=${`${refusal.client} ${refusal.credential} ${refusal.stage} ${refusal.reason} ${refusal.first_at}`}>
            <td>${refusal.credential || html`<span class="soft">no login</span>`} <span class="soft">${refusal.client}</span></td>
            <td>${refusal.stage.toUpperCase()}</td>
            <td class="main">${refusal.reply}${refusal.sender && html`<span class="why">from ${refusal.sender}</span>`}</td>
            <td>${refusal.count}</td>
            <td class="when"><${Time} time=${refusal.last_at} /></td>
          </tr>`,
        )}</tbody></table></section>`;
}

export function SubmittedPage({ id }) {
  const { value, error } = useLoaded(() => ask(`/dashboard/submitted/${id}`), [id], { about: id });
  if (error && !value) return html`<h1>Message not found</h1><${Fault} error=${error} />`;
  if (!value) return html`<p class="soft" role="status">Loading …</p>`;
  const { message, events, heard, causes } = value;
  return html`
    <nav class="crumbs" aria-label="Where this is"><a href="/submitted">Over SMTP</a></nav>
    <header class="title mail"><h1>From ${message.header_from || message.sender || 'the mail system'}</h1></header>
    <ul class="recipients card">
      ${message.recipients.map((recipient) => {
        const words = causeWords(recipient.reason, causes);
        return html`<li key=${recipient.address}>
          <${Status} status=${recipient.status} /> <span>${recipient.address}</span>
          ${words && html`<p><b>${words.title}.</b> <${Prose} text=${words.fix} /></p>`}
          ${recipient.reply && html`<pre class="said">${recipient.reply}</pre>`}
          ${recipient.next_attempt_at && html`<span class="soft">${nextAttempt(recipient)}</span>`}
        </li>`;
      })}
    </ul>
    <dl class="envelope">
      <dt>Sender</dt><dd>${message.sender || html`<span class="soft">empty: it is a notice</span>`}</dd>
      <dt>By</dt><dd><${By} message=${message} /></dd>
      <dt>Size</dt><dd>${bytes(message.size)}</dd>
      <dt>Message id</dt><dd><code>${message.message_id}</code></dd>
      <dt>Queue id</dt><dd><code>${message.id}</code></dd>
    </dl>
    <section><h2>Timeline</h2><${Timeline} events=${events} causes=${causes} /><${Heard} heard=${heard} /></section>`;
}
