// What stands beside a mail: its tags and stream, each the way to all mail that has it, and the mail that was made of it.
import { withQuery } from './ask.js';
import { html } from './html.js';
import { Status, Time } from './parts.js';
import { mailPath } from './words.js';

export const Labels = ({ tags, stream }) => html`
  ${tags.map(
    ({ name, value }) =>
      html`<a class="tag" key=${name} href=${withQuery('/emails', { tag: `${name}:${value}` })}>${name}:${value}</a> `,
  )}
  ${stream && html`<a class="tag" href=${withQuery('/emails', { stream })}>stream ${stream}</a>`}`;

export const SentAgain = ({ emails, source }) =>
  emails.length > 0
    ? html`<dt>Sent again</dt><dd>${emails.map(
        ({ id, status, created_at: at }) =>
          html`<div key=${id}><a href=${mailPath({ id, source })}><${Time} time=${at} /></a> <${Status} status=${status} /></div>`,
      )}</dd>`
    : null;
