// One email of a client's form, and those that cannot be changed any more.
import { html } from './html.js';
import { Field, Status } from './parts.js';
import { utc } from './words.js';

/** A field with what the api found wrong with it, which is no part of the field's name. */
export const Said = ({ faults, children }) =>
  html`<div class="said-of">${children}${faults.map(
    ({ detail }) => html`<p class="wrong" role="alert" key=${detail}>${detail}</p>`,
  )}</div>`;

export function Entry({ entry, onChange, onRemove, faults }) {
  const at = (name) => faults.filter(({ pointer }) => pointer.endsWith(`/${name}`));
  const field = (name) => (event) => onChange({ [name]: event.target.value });
  const title = entry.key || 'New email';
  return html`<fieldset class="entry">
    <legend>${title}</legend>
    <div class="three">
      <${Said} faults=${at('key')}><${Field} label="Key"><input value=${entry.key} onInput=${field('key')} required disabled=${entry.given !== undefined} spellcheck="false" /></${Field}></${Said}>
      <${Said} faults=${at('subject')}><${Field} label="Subject"><input value=${entry.subject} onInput=${field('subject')} required /></${Field}></${Said}>
      <${Said} faults=${at('scheduled_datetime')}><${Field} label="Local time"><input type="datetime-local" value=${entry.time} onInput=${field('time')} required /></${Field}></${Said}>
    </div>
    <${Said} faults=${at('text')}><${Field} label="Text"><textarea rows="3" value=${entry.text} onInput=${field('text')}></textarea></${Field}></${Said}>
    <details open=${entry.html !== '' && entry.text === ''}><summary>HTML</summary>
      <${Said} faults=${at('html')}><${Field} label="HTML"><textarea rows="4" value=${entry.html} onInput=${field('html')} spellcheck="false"></textarea></${Field}></${Said}>
    </details>
    <button type="button" class="small danger" onClick=${onRemove} aria-label=${`Remove ${title}`}>Remove</button>
  </fieldset>`;
}

export function Locked({ emails }) {
  if (emails.length === 0) return null;
  return html`<details class="meaning"><summary>Cannot be changed any more: ${emails.length}</summary>
    <ul>${emails.map(
      ({ id, key, subject, status, scheduled_datetime: due }) =>
        html`<li key=${id}><${Status} status=${status} /> <a href=${`/emails/${id}`}>${subject}</a> <span class="soft">${key} · ${utc(due)}</span></li>`,
    )}</ul></details>`;
}
