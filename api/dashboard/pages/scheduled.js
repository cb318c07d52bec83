// Scheduled: what will be sent, as a calendar: by day in the time of whoever looks, with the time of those who get it
// beside it. Found by words, and moved or cancelled one by one or many at once.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { CancelMany, MoveMany } from './many.js';
import { may } from './me.js';
import { Action, Dialog, Empty, Fault, Field, Status, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { useTyping } from './typing.js';
import { ago, count, inZone, plural, utc } from './words.js';
import { localIn, ownZone, Zones } from './zones.js';

const choices = [
  ['pending', 'To be sent'],
  ['pending,held,queued,sending,deferred,uncertain', 'Not finished'],
  ['sent', 'Sent'],
  ['expired,bounced,cancelled', 'Not sent'],
];

export function Scheduled({ query: { status = 'pending', text = '', after } }) {
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery('/dashboard/scheduled', { status, text, after })),
    [status, text, after],
  );
  const [chosen, setChosen] = useState(new Set());
  const [open, setOpen] = useState();
  const [fault, setFault] = useState();
  useEffect(() => setChosen(new Set()), [status, text, after]);
  const emails = value?.data ?? [];
  const close = async (changed) => {
    setOpen(undefined);
    if (!changed) return;
    setChosen(new Set());
    await look();
  };
  const toggle = (ids) => {
    const next = new Set(chosen);
    const isAll = ids.every((id) => next.has(id));
    for (const id of ids) {
      if (isAll) next.delete(id);
      else next.add(id);
    }
    setChosen(next);
  };
  const change = (email, verb) => async () => {
    await ask(`/api/v1/scheduled-emails/${email.id}/${verb}`, { method: 'POST' });
    await look();
  };
  return html`
    <header class="title"><h1>Scheduled</h1></header>
    <${Find} text=${text} />
    <div class="chips" role="group" aria-label="Which">
      ${choices.map(
        ([statuses, name]) => html`<button type="button" class="chip waiting" key=${statuses}
          aria-pressed=${status === statuses} onClick=${() => goWith({ status: statuses, after: undefined })}>${name}</button>`,
      )}
    </div>
    <${Fault} error=${error ?? fault} />
    <${Chosen} chosen=${chosen} emails=${emails} onOpen=${setOpen} onClear=${() => setChosen(new Set())} />
    ${
      emails.length === 0 && !loading
        ? html`<${Nothing} text=${text} />`
        : html`<${Calendar} emails=${emails} chosen=${chosen} toggle=${toggle}
            acts=${(email) => html`<${Acts} email=${email} change=${change} onMove=${() => setOpen({ what: 'one', emails: [email] })} onError=${setFault} />`} />`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Begin</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Next</button>`}
    </nav>
    ${open?.what === 'one' && html`<${Move} email=${open.emails[0]} onClose=${close} />`}
    ${open?.what === 'move' && html`<${MoveMany} emails=${open.emails} onClose=${close} />`}
    ${open?.what === 'cancel' && html`<${CancelMany} emails=${open.emails} onClose=${close} />`}`;
}

function Find({ text }) {
  const field = useRef();
  useEffect(() => {
    if (document.activeElement !== field.current) field.current.value = text;
  }, [text]);
  const type = useTyping((typed) => goWith({ text: typed, after: undefined }));
  return html`<search class="search"><div class="line">
    <input ref=${field} type="search" onInput=${type} placeholder="Recipient, subject, client or key" aria-label="Search scheduled emails"
      defaultValue=${text} spellcheck="false" />
  </div></search>`;
}

const Nothing = ({ text }) =>
  text
    ? html`<${Empty} title="No scheduled emails match."><p><a href="/scheduled">Show all of them</a></p></${Empty}>`
    : html`<${Empty} title="Nothing is scheduled.">
        <p>Give <code>scheduled_datetime</code> to <code>POST /api/v1/emails</code>, or save a client’s <code>email-config</code>.</p>
      </${Empty}>`;

function Chosen({ chosen, emails, onOpen, onClear }) {
  const these = emails.filter(({ id }) => chosen.has(id));
  if (these.length === 0) return null;
  return html`<div class="bulk" role="group" aria-label="Actions on several emails">
    <span>${plural(these.length, 'email')} chosen:</span>
    <button type="button" class="small" onClick=${() => onOpen({ what: 'move', emails: these })}>Move</button>
    <button type="button" class="small" onClick=${() => onOpen({ what: 'cancel', emails: these })}>Cancel</button>
    <button type="button" class="small" onClick=${onClear}>Choose none</button>
  </div>`;
}

const dayWords = new Intl.DateTimeFormat(undefined, {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
});
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

const near = { 0: 'Today', 1: 'Tomorrow', '-1': 'Yesterday' };

function nameOfDay(day) {
  const today = new Date();
  const distance = Math.round(
    (new Date(day) - new Date(today.getFullYear(), today.getMonth(), today.getDate())) / 86_400_000,
  );
  return [near[distance], dayWords.format(new Date(day))].filter(Boolean).join(', ');
}

/** The day begins at midnight of whoever looks. */
const dayOf = ({ due_at: due }) => new Date(due).setHours(0, 0, 0, 0);

/** Whether whoever looks can do something with it. */
const isOpen = ({ status }) => status === 'pending' && may('operate');

function Calendar({ emails, chosen, toggle, acts }) {
  return html`<table class="rows scheduled">
    <thead><tr><th class="pick"><span class="unseen">Choose</span></th><th class="due">When</th><th class="main">Subject</th><th class="state">Status</th><th class="acts"><span class="unseen">Actions</span></th></tr></thead>
    ${[...Map.groupBy(emails, dayOf)].map(([day, ofDay]) => {
      const choosable = ofDay.filter(isOpen).map(({ id }) => id);
      return html`<tbody key=${day}>
        <tr class="day">
          <td class="pick">${
            choosable.length > 0 &&
            html`<input type="checkbox" aria-label=${`Choose all of ${nameOfDay(day)}`}
            checked=${choosable.every((id) => chosen.has(id))} onChange=${() => toggle(choosable)} />`
          }</td>
          <th colspan="4" scope="rowgroup">${nameOfDay(day)} <span class="soft">${count(ofDay.length)}</span></th>
        </tr>
        ${ofDay.map((email) => html`<${Row} key=${email.id} email=${email} isChosen=${chosen.has(email.id)} onToggle=${() => toggle([email.id])} acts=${acts} />`)}
      </tbody>`;
    })}
  </table>`;
}

function Row({ email, isChosen, onToggle, acts }) {
  const { id, subject, status, paused, due_at: due, time_zone: zone, client_id: client, key } = email;
  const others = email.recipient_count > 1 ? ` and ${email.recipient_count - 1} more` : '';
  return html`<tr class=${isChosen ? 'chosen' : ''}>
    <td class="pick">${isOpen(email) && html`<input type="checkbox" aria-label=${`Choose ${subject}`} checked=${isChosen} onChange=${onToggle} />`}</td>
    <td class="due"><b>${clock.format(new Date(due))}</b>
      ${zone && zone !== ownZone && html`<div>${inZone(due, zone)} <span class="soft">${zone}</span></div>`}
      <div class="soft">${utc(due)}</div></td>
    <td class="main"><a class="subject" href=${`/emails/${id}`}>${subject}</a>
      <div class="soft">${[ago(due), email.to + others].join(' · ')}${client && html` · <a href=${`/scheduled/${encodeURIComponent(client)}`} title="The form of this client">${client}</a>`}${key && ` · ${key}`}</div></td>
    <td><${Status} status=${status} paused=${paused && status === 'pending'} /></td>
    <td class="acts">${acts(email)}</td>
  </tr>`;
}

function Acts({ email, change, onMove, onError }) {
  if (!isOpen(email)) return null;
  return html`
    <button type="button" class="small" onClick=${onMove}>Move</button>
    <${Action} kind="small" does=${change(email, 'send-now')} onError=${onError}
      confirm=${{ title: 'Send it now?', text: `“${email.subject}” is due ${ago(email.due_at)}.`, yes: 'Send now' }}>Send now</${Action}>
    <${Action} kind="small danger" does=${change(email, 'cancel')} onError=${onError}
      confirm=${{ title: 'Cancel this email?', text: 'It will not be sent. This cannot be undone.', yes: 'Cancel the email', no: 'Keep it', danger: true }}>Cancel</${Action}>`;
}

export function Move({ email, onClose }) {
  const [error, setError] = useState();
  const due = email.due_at ?? email.scheduled_datetime;
  const zone = email.time_zone ?? ownZone;
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
        <input type="datetime-local" name="time" required defaultValue=${localIn(due, zone)} />
      </${Field}>
      <${Field} label="Time zone"><${Zones} first=${[zone]} value=${timeZone} onChange=${setTimeZone} /></${Field}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${() => onClose(false)}>Back</button><button class="primary">Move</button></footer>
    </form>
  </${Dialog}>`;
}
