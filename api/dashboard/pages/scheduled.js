// Scheduled: what will be sent, soonest first, in the time of those who get it and in UTC.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { Action, Dialog, Empty, Fault, Field, Status, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { ago, inZone, utc } from './words.js';

const choices = [
  ['pending', 'To be sent'],
  ['pending,held,queued,sending,deferred,uncertain', 'Not finished'],
  ['sent', 'Sent'],
  ['expired,bounced,cancelled', 'Not sent'],
];

const ownZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

export function Scheduled({ query: { status = 'pending', after } }) {
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery('/api/v1/scheduled-emails', { status, after, limit: 50 })),
    [status, after],
  );
  const [moving, setMoving] = useState();
  const [fault, setFault] = useState();
  const emails = value?.data ?? [];
  const change = (email, verb) => async () => {
    await ask(`/api/v1/scheduled-emails/${email.id}/${verb}`, { method: 'POST' });
    await look();
  };
  return html`
    <header class="title"><h1>Scheduled</h1></header>
    <div class="chips" role="group" aria-label="Which">
      ${choices.map(
        ([statuses, name]) => html`<button type="button" class="chip waiting" key=${statuses}
          aria-pressed=${status === statuses} onClick=${() => goWith({ status: statuses, after: undefined })}>${name}</button>`,
      )}
    </div>
    <${Fault} error=${error ?? fault} />
    ${
      emails.length === 0 && !loading
        ? html`<${Empty} title="Nothing is scheduled.">
            <p>Give <code>scheduled_datetime</code> to <code>POST /api/v1/emails</code>, or save a client’s <code>email-config</code>.</p>
          </${Empty}>`
        : html`<table class="rows scheduled">
            <thead><tr><th class="due">When</th><th class="main">Subject</th><th class="state">Status</th><th class="acts"><span class="unseen">Actions</span></th></tr></thead>
            <tbody>${emails.map(
              (email) => html`<tr key=${email.id}>
                <td class="due"><b>${inZone(email.scheduled_datetime, email.time_zone)}</b>
                  <div class="soft">${email.time_zone ?? ownZone}</div>
                  <div class="soft">${utc(email.scheduled_datetime)}</div></td>
                <td class="main"><a class="subject" href=${`/emails/${email.id}`}>${email.subject}</a>
                  <div class="soft">${[ago(email.scheduled_datetime), recipientsOf(email), email.client_id, email.key].filter(Boolean).join(' · ')}</div></td>
                <td><${Status} status=${email.status} paused=${email.paused && email.status === 'pending'} /></td>
                <td class="acts">${
                  email.status === 'pending' &&
                  html`
                    <button type="button" class="small" onClick=${() => setMoving(email)}>Move</button>
                    <${Action} kind="small" does=${change(email, 'send-now')} onError=${setFault}
                      confirm=${{ title: 'Send it now?', text: `“${email.subject}” is due ${ago(email.scheduled_datetime)}.`, yes: 'Send now' }}>Send now</${Action}>
                    <${Action} kind="small danger" does=${change(email, 'cancel')} onError=${setFault}
                      confirm=${{ title: 'Cancel this email?', text: 'It will not be sent. This cannot be undone.', yes: 'Cancel the email', no: 'Keep it', danger: true }}>Cancel</${Action}>`
                }</td>
              </tr>`,
            )}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Soonest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Later</button>`}
    </nav>
    ${
      moving &&
      html`<${Move} email=${moving} onClose=${async (moved) => {
        setMoving(undefined);
        if (moved) await look();
      }} />`
    }`;
}

const recipientsOf = ({ to }) =>
  to.length > 1 ? `${to[0].address} and ${to.length - 1} more` : to[0]?.address;

/** The time of the clock on the wall over there, as an input of a form wants it. */
function localIn(time, timeZone) {
  const parts = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return parts.format(new Date(time)).replace(' ', 'T');
}

export function Move({ email, onClose }) {
  const [error, setError] = useState();
  const zone = email.time_zone ?? ownZone;
  const zones = [...new Set([zone, ownZone, 'UTC', ...(Intl.supportedValuesOf?.('timeZone') ?? [])])];
  const [timeZone, setTimeZone] = useState(zone);
  const submit = async (event) => {
    event.preventDefault();
    try {
      await ask(`/api/v1/scheduled-emails/${email.id}`, {
        method: 'PATCH',
        body: { scheduled_datetime: `${event.target.time.value}:00`, time_zone: timeZone },
      });
      onClose(true);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<${Dialog} title="Move to another time" onClose=${() => onClose(false)}>
    <form onSubmit=${submit}>
      <p class="soft">${email.subject}</p>
      <${Field} label="Local time" hint="The local time in that time zone. Daylight saving time is taken into account.">
        <input type="datetime-local" name="time" required defaultValue=${localIn(email.scheduled_datetime, zone)} />
      </${Field}>
      <${Field} label="Time zone">
        <select value=${timeZone} onChange=${(event) => setTimeZone(event.target.value)}>
          ${zones.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
        </select>
      </${Field}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${() => onClose(false)}>Back</button><button class="primary">Move</button></footer>
    </form>
  </${Dialog}>`;
}
