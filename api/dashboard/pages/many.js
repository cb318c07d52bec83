// Moving and cancelling several scheduled emails: one request each, so that each is told by itself what became of it.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { Dialog, Fault, Field } from './parts.js';
import { plural } from './words.js';
import { localIn, ownZone, Zones } from './zones.js';

const day = 86_400_000;

/** The same time of the clock some days later, where the email has a zone; else so many times 24 hours. */
function laterBy(email, days) {
  if (!email.own_zone)
    return { scheduled_datetime: new Date(new Date(email.due_at).getTime() + days * day).toISOString() };
  const [date, clock] = localIn(email.due_at, email.own_zone, 'medium').split('T');
  const moved = new Date(Date.parse(`${date}T00:00:00Z`) + days * day).toISOString().slice(0, 10);
  return { scheduled_datetime: `${moved}T${clock}`, time_zone: email.own_zone };
}

/**
 * @param does what is done to one email; it rejects with why not
 * @param done `moved` or `cancelled`
 */
function useOneByOne(emails, done) {
  const [progress, setProgress] = useState();
  const run = async (does) => {
    const failed = [];
    let good = 0;
    for (const email of emails) {
      try {
        await does(email);
        good += 1;
      } catch (error) {
        failed.push({ email, why: error.body?.errors?.[0]?.detail ?? error.message });
      }
      setProgress({ good, failed: [...failed], over: good + failed.length === emails.length });
    }
  };
  const shown =
    progress &&
    html`<div role="status">
      <p><progress max=${emails.length} value=${progress.good + progress.failed.length}></progress> ${plural(progress.good, 'email')} ${done}${
        progress.failed.length > 0 ? `, ${progress.failed.length} not:` : '.'
      }</p>
      ${progress.failed.length > 0 && html`<ul class="failed">${progress.failed.map(({ email, why }) => html`<li key=${email.id}><b>${email.subject}</b> <span class="soft">to ${email.to}</span>: ${why}</li>`)}</ul>`}
    </div>`;
  return { progress, run, shown };
}

const Footer = ({ progress, onClose, children }) =>
  html`<footer>${
    progress
      ? html`<button type="button" class="primary" disabled=${!progress.over} onClick=${() => onClose(true)}>Close</button>`
      : html`<button type="button" onClick=${() => onClose(false)}>Back</button>${children}`
  }</footer>`;

export function MoveMany({ emails, onClose }) {
  const { progress, run, shown } = useOneByOne(emails, 'moved');
  const [how, setHow] = useState('by');
  const [timeZone, setTimeZone] = useState(emails[0].time_zone ?? ownZone);
  const [error, setError] = useState();
  const number = plural(emails.length, 'email');
  const submit = (event) => {
    event.preventDefault();
    const { days, time } = event.target;
    const amount = Number(days?.value);
    if (how === 'by' && !amount) return setError(new Error('Give a number of days other than 0.'));
    setError(undefined);
    return run((email) =>
      ask(`/api/v1/scheduled-emails/${email.id}`, {
        method: 'PATCH',
        body:
          how === 'by'
            ? laterBy(email, amount)
            : { scheduled_datetime: `${time.value}:00`, time_zone: timeZone },
      }),
    );
  };
  const choice = (value, label) =>
    html`<label class="pick"><input type="radio" name="how" checked=${how === value} onChange=${() => setHow(value)} /> ${label}</label>`;
  return html`<${Dialog} title=${`Move ${number}`} onClose=${() => onClose(progress !== undefined)}>
    <form onSubmit=${submit}>
      ${
        progress
          ? shown
          : html`
            <div role="radiogroup" aria-label="How">${choice('by', 'By days')}${choice('to', 'To one time')}</div>
            ${
              how === 'by'
                ? html`<${Field} label="Days" hint="Later, or earlier with a minus. Each keeps its time of day in its own time zone.">
                    <input type="number" name="days" min="-366" max="366" step="1" required defaultValue="1" />
                  </${Field}>`
                : html`<${Field} label="Local time" hint="All of them at the same time. Daylight saving time is taken into account.">
                    <input type="datetime-local" name="time" required defaultValue=${localIn(emails[0].due_at, timeZone)} />
                  </${Field}>
                  <${Field} label="Time zone"><${Zones} first=${[timeZone]} value=${timeZone} onChange=${setTimeZone} /></${Field}>`
            }
            <${Fault} error=${error} />`
      }
      <${Footer} progress=${progress} onClose=${onClose}><button class="primary">Move ${number}</button></${Footer}>
    </form>
  </${Dialog}>`;
}

export function CancelMany({ emails, onClose }) {
  const { progress, run, shown } = useOneByOne(emails, 'cancelled');
  const number = plural(emails.length, 'email');
  return html`<${Dialog} title=${`Cancel ${number}?`} onClose=${() => onClose(progress !== undefined)}>
    ${progress ? shown : html`<p>They will not be sent. This cannot be undone. What was sent meanwhile stays sent, and is named.</p>`}
    <${Footer} progress=${progress} onClose=${onClose}>
      <button type="button" class="danger" onClick=${() => run((email) => ask(`/api/v1/scheduled-emails/${email.id}/cancel`, { method: 'POST' }))}>Cancel ${number}</button>
    </${Footer}>
  </${Dialog}>`;
}
