// Mail of other applications, handed in over SMTP: the same queue, the same timeline, no body of ours to show.
import { Actions } from './actions.js';
import { ask } from './ask.js';
import { Heard } from './heard.js';
import { html } from './html.js';
import { Look } from './look.js';
import { Copy, Crumbs, Fault, Moment, Status, useLoaded, useTitle } from './parts.js';
import { Recipients } from './recipients.js';
import { Timeline } from './timeline.js';
import { bytes, statusWords } from './words.js';

export function SubmittedPage({ id }) {
  const { value, error } = useLoaded(() => ask(`/dashboard/submitted/${id}`), [id], { about: id });
  useTitle(value ? value.message.subject || 'Email over SMTP' : 'Email');
  if (error && !value) return html`<h1>Message not found</h1><${Fault} error=${error} />`;
  if (!value) return html`<p class="soft" role="status">Loading …</p>`;
  const { message, events, heard, causes } = value;
  return html`
    <${Crumbs} />
    <header class="title mail"><h1>${message.subject || `From ${message.header_from || message.sender || 'the mail system'}`}</h1>
      <${Status} status=${message.status} /></header>
    <section class=${`now ${statusWords[message.status]?.tone ?? 'quiet'}`}>
      <p class="lead">${statusWords[message.status]?.means}</p>
      <${Recipients} recipients=${message.recipients ?? []} causes=${causes} />
    </section>
    <${Actions} email=${{ ...message, queue_id: message.id, paused: false, source: 'smtp' }} />
    <dl class="envelope">
      <dt>From</dt><dd>${message.header_from || html`<span class="soft">empty</span>`}</dd>
      <dt>Sender</dt><dd>${message.sender || html`<span class="soft">empty: it is a notice</span>`}</dd>
      <dt>By</dt><dd>${message.api_key ? html`<a href=${`/emails?key=${message.api_key.id}`}>${message.api_key.name}</a>` : message.credential} <span class="soft">over SMTP</span></dd>
      <dt>Received</dt><dd><${Moment} time=${message.received_at} /></dd>
      <dt>Size</dt><dd>${bytes(message.size)}</dd>
      <dt>Message id</dt><dd><code>${message.message_id}</code> <${Copy} text=${message.message_id} what="the Message-ID" /></dd>
      <dt>Queue id</dt><dd><code>${message.id}</code> <${Copy} text=${message.id} what="the queue id" /></dd>
    </dl>
    <div class="mail-columns">
    <section><h2>Timeline</h2><${Timeline} events=${events} causes=${causes} /><${Heard} heard=${heard} /></section>
    <section><${Look} email=${{ html: null, text: null }} attachments=${[]} remote=${0} path=${`/dashboard/submitted/${id}`} /></section></div>`;
}
