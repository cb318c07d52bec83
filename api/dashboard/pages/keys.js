// Keys: made here, shown once, limited, given a new secret, and revoked at once, with or without the mail that waits.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { KeyFields, settingsOf } from './key-fields.js';
import { Action, Copy, Dialog, Empty, Fault, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { count, plural, utc } from './words.js';

export function Keys({ query: { after } }) {
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery('/api/v1/keys', { after, limit: 50 })),
    [after],
    {
      live: false,
    },
  );
  const [open, setOpen] = useState();
  const keys = value?.data ?? [];
  const close = async () => {
    setOpen(undefined);
    await look();
  };
  return html`
    <header class="title"><h1>Keys</h1>
      <button type="button" class="primary" onClick=${() => setOpen({ dialog: NewKey })}>New key</button></header>
    <p class="soft">Applications send <code>Authorization: Bearer KEY</code>, or use a key that may send as their SMTP password, with any user name.${' '}
      <code>API_KEY</code> is always one, and is not listed here. <a href="/docs/keys" target="_blank">More about keys</a></p>
    <${Fault} error=${error} />
    ${
      keys.length === 0 && !loading
        ? html`<${Empty} title="No keys yet."><p>Give each application its own key, so that you can revoke one without the others.</p></${Empty}>`
        : html`<table class="rows keys" aria-busy=${loading}>
            <thead><tr><th class="main">Name</th><th class="may">May</th><th class="ends">Ends in</th><th class="used">Last use</th><th class="when">Created</th><th class="acts"><span class="unseen">Actions</span></th></tr></thead>
            <tbody>${keys.map((key) => html`<${Row} key=${key.id} its=${key} open=${setOpen} />`)}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${open && html`<${open.dialog} its=${open.key} onClose=${close} />`}`;
}

function Row({ its: key, open }) {
  const isOver = key.revoked_at !== null;
  const opens = (dialog) => () => open({ dialog, key });
  return html`<tr>
    <td class="main"><b>${key.name}</b> ${
      key.scopes.includes('send') && html`<a class="soft" href=${`/emails?key=${key.id}`}>its mail</a>`
    }${limitsOf(key).map((words) => html`<div class="soft" key=${words}>${words}</div>`)}
      ${
        key.senders_not_allowed.length > 0 &&
        html`<div class="status bad">The relay does not allow ${key.senders_not_allowed.join(', ')}</div>`
      }</td>
    <td class="may">${key.scopes.join(', ')}</td>
    <td class="ends"><code>…${key.ending}</code></td>
    <td class="used soft">${key.last_used_at ? html`<${Time} time=${key.last_used_at} />` : html`<span class="soft">never</span>`}</td>
    <td class="when"><${Time} time=${key.created_at} /></td>
    <td class="acts">${
      isOver
        ? html`<span class="status quiet">revoked</span>`
        : html`<button type="button" class="small" onClick=${opens(ChangeKey)}>Change</button>
          <button type="button" class="small" onClick=${opens(RotateKey)}>New secret</button>
          <button type="button" class="small danger" onClick=${opens(RevokeKey)}>Revoke</button>`
    }</td>
  </tr>`;
}

/** In words, one line each. */
function limitsOf(key) {
  const spans = [
    key.per_hour && `${count(key.used.hour)} of ${count(key.per_hour)} recipients this hour`,
    key.per_day && `${count(key.used.day)} of ${count(key.per_day)} today`,
  ].filter(Boolean);
  return [
    key.senders.length > 0 && `as ${key.senders.join(', ')}`,
    spans.length > 0 && spans.join(', '),
    key.tags.length > 0 && key.tags.map(({ name, value }) => `${name}=${value}`).join(', '),
    key.old_secret_until && `old secret until ${utc(key.old_secret_until)}`,
    key.expires_at && `${key.expired ? 'expired' : 'expires'} ${utc(key.expires_at)}`,
  ].filter(Boolean);
}

const scopes = [
  ['send', 'Send', 'Sends email and reads its status. Also a password over SMTP.'],
  ['read', 'Read', 'Reads, but sees no bodies.'],
  ['admin', 'Admin', 'Everything, including keys.'],
];

function NewKey({ onClose }) {
  const [error, setError] = useState();
  const [made, setMade] = useState();
  const [scope, setScope] = useState('send');
  const submit = async (event) => {
    event.preventDefault();
    try {
      const body = { ...settingsOf(event.target), scopes: [scope] };
      setMade(await ask('/api/v1/keys', { method: 'POST', body }));
    } catch (problem) {
      setError(problem);
    }
  };
  if (made) return html`<${Secret} secret=${made.secret} onClose=${onClose} />`;
  return html`<${Dialog} title="New key" onClose=${onClose}>
    <form onSubmit=${submit}>
      <${KeyFields} maySend=${scope === 'send'}>
        <fieldset><legend>What it may do</legend>
          ${scopes.map(
            ([value, name, says]) => html`<label class="check" key=${value}>
              <input type="radio" name="scope" checked=${scope === value} onChange=${() => setScope(value)} />
              <span><b>${name}</b> <span class="soft">${says}</span></span></label>`,
          )}
        </fieldset>
      </${KeyFields}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Create the key</button></footer>
    </form>
  </${Dialog}>`;
}

function ChangeKey({ its: key, onClose }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    try {
      await ask(`/api/v1/keys/${key.id}`, { method: 'PATCH', body: settingsOf(event.target) });
      await onClose();
    } catch (problem) {
      setError(problem);
    }
  };
  const maySend = key.scopes.includes('send') && !key.scopes.includes('admin');
  return html`<${Dialog} title=${`Change ${key.name}`} onClose=${onClose}>
    <form onSubmit=${submit}>
      <${KeyFields} its=${key} maySend=${maySend} />
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Save</button></footer>
    </form>
  </${Dialog}>`;
}

function RotateKey({ its: key, onClose }) {
  const [made, setMade] = useState();
  const rotate = async () => setMade(await ask(`/api/v1/keys/${key.id}/rotate`, { method: 'POST' }));
  if (made) return html`<${Secret} secret=${made.secret} onClose=${onClose} />`;
  return html`<${Dialog} title=${`A new secret for ${key.name}?`} onClose=${onClose}>
    <p>The old secret works for another 24 hours, so that applications can change over. Mail and forms stay those of the key. For a secret that leaked, revoke the key instead.</p>
    ${key.old_secret_until && html`<p>The secret before the last change ends at once.</p>`}
    <footer><button type="button" onClick=${onClose}>Back</button>
      <${Action} kind="primary" does=${rotate}>Make a new secret</${Action}></footer>
  </${Dialog}>`;
}

function RevokeKey({ its: key, onClose }) {
  const [isCancelling, setCancelling] = useState(false);
  const [left, setLeft] = useState();
  const revoke = async () => {
    const path = withQuery(`/api/v1/keys/${key.id}`, { cancel_waiting: isCancelling ? 'true' : undefined });
    const { waiting_mail: mail } = await ask(path, { method: 'DELETE' });
    if (mail?.more) setLeft(mail);
    else await onClose();
  };
  return html`<${Dialog} title=${`Revoke ${key.name}?`} onClose=${onClose}>
    <p>Requests and SMTP sessions with this key are refused from now on. This cannot be undone.</p>
    ${
      key.scopes.includes('send') &&
      html`<label class="check"><input type="checkbox" checked=${isCancelling} onChange=${() => setCancelling(!isCancelling)} />
        <span>Also cancel what waits <span class="soft">Mail of this key that is not being sent, scheduled mail included. Otherwise it goes out.</span></span></label>`
    }
    ${left && html`<p role="status">The key is revoked. ${plural(left.cancelled, 'email')} cancelled; more may wait.</p>`}
    <footer><button type="button" onClick=${onClose}>Back</button>
      <${Action} kind="danger" does=${revoke}>${left ? 'Go on' : 'Revoke'}</${Action}></footer>
  </${Dialog}>`;
}

const Secret = ({ secret, onClose }) => html`<${Dialog} title="Copy this key now" onClose=${onClose}>
  <p>It is shown only once. Postern stores only its digest.</p>
  <p class="secret">${secret}</p>
  <footer><${Copy} text=${secret} label="Copy the key" /><button type="button" class="primary" onClick=${onClose}>I have it</button></footer>
</${Dialog}>`;
