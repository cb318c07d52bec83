// Keys: made here, shown once, revoked at once.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { Action, Copy, Dialog, Empty, Fault, Field, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { count } from './words.js';

const scopes = [
  ['send', 'Send', 'Sends email and reads its status.'],
  ['read', 'Read', 'Reads, but sees no bodies.'],
  ['admin', 'Admin', 'Everything, including keys.'],
];

export function Keys({ query: { after } }) {
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery('/api/v1/keys', { after, limit: 50 })),
    [after],
    {
      live: false,
    },
  );
  const [creating, setCreating] = useState(false);
  const keys = value?.data ?? [];
  const revoke = (id) => async () => {
    await ask(`/api/v1/keys/${id}`, { method: 'DELETE' });
    await look();
  };
  return html`
    <header class="title"><h1>Keys</h1>
      <button type="button" class="primary" onClick=${() => setCreating(true)}>New key</button></header>
    <p class="soft">Applications send <code>Authorization: Bearer KEY</code>. <code>API_KEY</code> is always one, and is not listed here.</p>
    <${Fault} error=${error} />
    ${
      keys.length === 0 && !loading
        ? html`<${Empty} title="No keys yet."><p>Give each application its own key, so that you can revoke one without the others.</p></${Empty}>`
        : html`<table class="rows keys">
            <thead><tr><th class="main">Name</th><th>May</th><th>Ends in</th><th>Requests a minute</th><th class="when">Created</th><th class="acts"><span class="unseen">Actions</span></th></tr></thead>
            <tbody>${keys.map(
              (key) => html`<tr key=${key.id}>
                <td class="main"><b>${key.name}</b></td>
                <td>${key.scopes.join(', ')}</td>
                <td><code>…${key.ending}</code></td>
                <td>${count(key.rate_per_minute)}</td>
                <td class="when"><${Time} time=${key.created_at} /></td>
                <td class="acts">${
                  key.revoked_at
                    ? html`<span class="status quiet">revoked</span>`
                    : html`<${Action} kind="small danger" does=${revoke(key.id)}
                        confirm=${{ title: `Revoke ${key.name}?`, text: 'Requests with this key are refused from now on. This cannot be undone.', yes: 'Revoke', danger: true }}>Revoke</${Action}>`
                }</td>
              </tr>`,
            )}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${
      creating &&
      html`<${NewKey} onClose=${async () => {
        setCreating(false);
        await look();
      }} />`
    }`;
}

function NewKey({ onClose }) {
  const [error, setError] = useState();
  const [made, setMade] = useState();
  const [scope, setScope] = useState('send');
  const submit = async (event) => {
    event.preventDefault();
    try {
      setMade(
        await ask('/api/v1/keys', {
          method: 'POST',
          body: { name: event.target.name.value.trim(), scopes: [scope] },
        }),
      );
    } catch (problem) {
      setError(problem);
    }
  };
  if (made)
    return html`<${Dialog} title="Copy this key now" onClose=${onClose}>
      <p>It is shown only once. Postern stores only its digest.</p>
      <p class="secret">${made.secret}</p>
      <footer><${Copy} text=${made.secret} label="Copy the key" /><button type="button" class="primary" onClick=${onClose}>I have it</button></footer>
    </${Dialog}>`;
  return html`<${Dialog} title="New key" onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Field} label="Name" hint="What it is for, such as “Shop backend”."><input name="name" required maxlength="100" /></${Field}>
      <fieldset><legend>What it may do</legend>
        ${scopes.map(
          ([value, name, says]) => html`<label class="check" key=${value}>
            <input type="radio" name="scope" checked=${scope === value} onChange=${() => setScope(value)} />
            <span><b>${name}</b> <span class="soft">${says}</span></span></label>`,
        )}
      </fieldset>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Create the key</button></footer>
    </form>
  </${Dialog}>`;
}
