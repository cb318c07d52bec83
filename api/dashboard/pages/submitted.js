// Mail of other applications, handed in over SMTP: the same queue and timeline, and how it looks, from the stored message.
import { Actions } from './actions.js';
import { ask, withQuery } from './ask.js';
import { Heard } from './heard.js';
import { html } from './html.js';
import { Labels, SentAgain } from './labels.js';
import { Look } from './look.js';
import { may, whyNot } from './me.js';
import { Copy, Crumbs, Fault, Moment, Status, useLoaded, useTitle } from './parts.js';
import { Recipients } from './recipients.js';
import { Timeline } from './timeline.js';
import { bytes, statusWords } from './words.js';

export function SubmittedPage({ id }) {
  const { value, error } = useLoaded(() => ask(`/dashboard/submitted/${id}`), [id], { about: id });
  useTitle(value ? value.message.subject || 'Email over SMTP' : 'Email');
  if (error && !value) return html`<h1>Message not found</h1><${Fault} error=${error} />`;
  if (!value) return html`<p class="soft" role="status">Loading …</p>`;
  const { message, events, heard, causes, sent_again: sentAgain } = value;
  const finished = finishedOf(message.recipients ?? []);
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
      <dt>By</dt><dd>${message.api_key ? html`<a href=${`/emails?key=${message.api_key.id}`}>${message.api_key.name}</a>` : html`<a href=${withQuery('/emails', { key: message.credential })}>${message.credential}</a>`} <span class="soft">over SMTP</span></dd>
      <dt>Received</dt><dd><${Moment} time=${message.received_at} /></dd>
      ${finished && html`<dt>${message.status === 'sent' ? 'Sent' : 'Finished'}</dt><dd><${Moment} time=${finished} /></dd>`}
      ${(message.tags.length > 0 || message.stream) && html`<dt>Labels</dt><dd><${Labels} tags=${message.tags} stream=${message.stream} /></dd>`}
      ${message.again_of && html`<dt>Sends again</dt><dd><a href=${`/submitted/${message.again_of}`}>an earlier email</a></dd>`}
      <${SentAgain} emails=${sentAgain} source="smtp" />
      <dt>Size</dt><dd>${bytes(message.size)}</dd>
      <dt>Message-ID</dt><dd><code>${message.message_id}</code> <${Copy} text=${message.message_id} what="the Message-ID" /></dd>
      <dt>Queue id</dt><dd><code>${message.id}</code> <${Copy} text=${message.id} what="the queue id" /></dd>
    </dl>
    <div class="mail-columns">
    <section><h2>Timeline</h2><${Timeline} events=${events} causes=${causes} /><${Heard} heard=${heard} /></section>
    <section>${may('operate') ? html`<${Content} path=${`/dashboard/submitted/${id}`} />` : html`<p class="soft">What an email says is not shown to your role. ${whyNot('operate')}</p>`}</section></div>`;
}

/** When the last of its recipients was; undefined while one is not. */
const finishedOf = (recipients) =>
  recipients.every(({ finished_at: at }) => at)
    ? recipients
        .map(({ finished_at: at }) => at)
        .sort()
        .at(-1)
    : undefined;

/** Read once: what was submitted does not change, and it may be large. */
function Content({ path }) {
  const { value, error } = useLoaded(() => ask(`${path}/content`), [path], { live: false });
  if (error) return html`<${Fault} error=${error} />`;
  if (!value) return html`<p class="soft" role="status">Loading the message …</p>`;
  if (!value.is_kept)
    return html`<h2>Content</h2><p class="note">The message is no longer stored: <code>RETENTION_BODY</code> is over, or somebody whom it concerned was erased. Subject, addresses and timeline stay until <code>RETENTION_ROWS</code> ends.</p>`;
  const { text, html: written, attachments, remote, is_cut: isCut, is_more: isMore } = value;
  return html`
    ${isCut && html`<p class="note">The text is longer than 1 MB: only its beginning is shown. <a href=${`${path}/source`} download="email.eml">The source has all of it.</a></p>`}
    ${isMore && html`<p class="note">Only the first 100 attachments are listed. <a href=${`${path}/source`} download="email.eml">The source has all of them.</a></p>`}
    <${Look} email=${{ html: written, text }} attachments=${attachments} remote=${remote} path=${path} />`;
}
