// What can be done with one mail now, whether the api made it or another application submitted it over SMTP.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { useOverview } from './live.js';
import { may, whyNot } from './me.js';
import { Action, Copy, Fault } from './parts.js';
import { go } from './route.js';
import { Move } from './scheduled.js';
import { ago, mailPath } from './words.js';

async function act(id, name, options) {
  const { results } = await ask('/dashboard/emails/act', {
    method: 'POST',
    body: { act: name, ids: [id] },
    ...options,
  });
  if (results[0].outcome !== 'done')
    throw new Error(`Not possible any more: the email is now ${results[0].status}.`);
}

export function Actions({ email }) {
  const [error, setError] = useState();
  const [moving, setMoving] = useState(false);
  const { id, status, paused, queue_id: queueId } = email;
  const { overview } = useOverview();
  useEffect(() => setError(undefined), [status]);
  if (!may('operate')) return html`<p class="soft">${whyNot('operate')}</p>`;
  const does = (name) => () => act(id, name);
  const lanes = overview?.relay?.lanes ?? [];
  const isShut = lanes.length > 0 && lanes.every(({ state }) => state !== 'open');
  const isWaiting = status === 'pending' && queueId === null;
  const isEarly = status === 'pending' && new Date(email.scheduled_datetime) > Date.now();
  const isTriable =
    ['held', 'deferred', 'expired', 'bounced'].includes(status) ||
    (status === 'queued' && isShut) ||
    (status === 'pending' && !paused && !isEarly);
  // What still goes out by itself would only go out twice.
  const isOpenStill = ['pending', 'queued', 'sending', 'deferred', 'held'].includes(status);
  const isOpen = status === 'uncertain' || (status === 'held' && email.reason === 'uncertain-twice');
  const buttons = [
    isTriable &&
      html`<${Action} kind="primary" does=${does('retry')} onError=${setError}>Try again now</${Action}>`,
    isEarly &&
      html`<${Action} kind=${paused ? '' : 'primary'} does=${does('send-now')} onError=${setError}
        confirm=${{ title: 'Send it now?', text: `It is due ${ago(email.scheduled_datetime)}.`, yes: 'Send now' }}>Send now</${Action}>`,
    isEarly &&
      email.kind === 'scheduled' &&
      html`<button type="button" onClick=${() => setMoving(true)}>Reschedule</button>`,
    isWaiting && !paused && html`<${Action} does=${does('hold')} onError=${setError}>Hold</${Action}>`,
    isWaiting &&
      paused &&
      html`<${Action} kind="primary" does=${does('release')} onError=${setError}>Release</${Action}>`,
    (!isOpenStill || email.kind === 'invitation') &&
      html`<${SendAgain} email=${email} onError=${setError} />`,
    ['pending', 'queued', 'deferred', 'held'].includes(status) &&
      html`<${Action} kind="danger" does=${does('cancel')} onError=${setError}
        confirm=${{ title: 'Cancel this email?', text: 'It will not be sent. This cannot be undone.', yes: 'Cancel the email', no: 'Keep it', danger: true }}>Cancel</${Action}>`,
  ].filter(Boolean);
  return html`
    ${isOpen && html`<${Resolve} email=${email} onError=${setError} />`}
    <div class="actions" role="group" aria-label="Actions">${buttons}<${Fault} error=${error} /></div>
    ${moving && html`<${Move} email=${email} onClose=${() => setMoving(false)} />`}`;
}

/** A new email with the same content; an invitation gets a new link as well. */
function SendAgain({ email, onError }) {
  const { id, source, kind, status, erased_at: erasedAt, customer_id: customer } = email;
  if (kind === 'invitation') {
    if (!customer) return null;
    const invite = async () => {
      const { email_id: next } = await ask(`/api/customers/${customer}/invitation`, { method: 'POST' });
      if (next) go(`/emails/${next}`);
    };
    return html`<${Action} does=${invite} onError=${onError}
      confirm=${{ title: 'Invite again?', text: 'A new link is sent, and the old one ends.', yes: 'Invite again' }}>Invite again</${Action}>`;
  }
  const isSubmitted = source === 'smtp';
  const again = async () => {
    const path = `/api/v1/${isSubmitted ? 'submitted-emails' : 'emails'}/${id}/send-again`;
    const { id: next } = await ask(path, { method: 'POST' });
    go(mailPath({ id: next, source }));
  };
  const isErased = !isSubmitted && erasedAt !== null;
  const isOut = ['sent', 'uncertain', 'sending'].includes(status);
  const text = `A new email with the same content goes to all recipients.${isOut ? ' Whoever has it already gets it twice.' : ''}`;
  return html`<${Action} does=${again} onError=${onError} disabled=${isErased}
    title=${isErased ? 'Its body is no longer stored.' : undefined}
    confirm=${{ title: 'Send it again?', text, yes: 'Send again' }}>Send again</${Action}>`;
}

const undoSeconds = 8;
const decisions = [
  { name: 'resolve-sent', label: 'It arrived', says: 'It is marked as arrived' },
  {
    name: 'resolve-resend',
    label: 'Send it once more',
    says: 'It is sent once more; who has it gets it twice',
  },
  { name: 'resolve-cancelled', label: 'Do not send it', says: 'It is not sent again' },
];

/** What SMTP could not tell, a person finds out; the decision waits a moment, in which it can be taken back. */
function Resolve({ email, onError }) {
  const [decided, setDecided] = useState();
  const pending = useRef();
  const finish = (options) => {
    const { current } = pending;
    if (!current) return;
    pending.current = undefined;
    clearTimeout(current.timer);
    act(email.id, current.name, options).then(
      () => onError(undefined),
      (error) => {
        setDecided(undefined);
        onError(error);
      },
    );
  };
  useEffect(() => {
    // Whoever leaves has decided: the request outlives the page.
    const leave = () => finish({ keepalive: true });
    addEventListener('pagehide', leave);
    return () => {
      removeEventListener('pagehide', leave);
      leave();
    };
  }, []);
  const decide = (decision) => () => {
    pending.current = { name: decision.name, timer: setTimeout(finish, undoSeconds * 1_000) };
    setDecided(decision);
  };
  const undo = () => {
    clearTimeout(pending.current?.timer);
    pending.current = undefined;
    setDecided(undefined);
  };
  return html`<section class="card resolve" aria-label="Did it arrive?">
    <h2>Did it arrive?</h2>
    <p>Ask the recipient, or look for this Message-ID in the provider’s log:</p>
    <p><code>${email.message_id}</code> <${Copy} text=${email.message_id} /></p>
    ${
      decided
        ? html`<p role="status">${decided.says}, in ${undoSeconds} seconds. <button type="button" class="small" onClick=${undo}>Undo</button></p>`
        : html`<div class="actions">${decisions.map(
            (decision) =>
              html`<button type="button" key=${decision.name} onClick=${decide(decision)}>${decision.label}</button>`,
          )}</div>`
    }
  </section>`;
}
