// Audit: who did what, to what, and what is different since.
import { ask, withQuery } from './ask.js';
import { startOf } from './filters.js';
import { html } from './html.js';
import { Empty, Fault, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';

const who = { admin: 'admin', bootstrap: 'API_KEY', nobody: 'nobody' };
const pages = {
  email: '/emails/',
  message: '/submitted/',
  customer: '/customers/',
  application: '/applications?id=',
  webhook: '/webhooks/',
};

/** `cancel-email` as a person says it. */
const inWords = (act) => act[0].toUpperCase() + act.slice(1).replaceAll('-', ' ');

export function Audit({ query: { actor, act, object, from, to, after } }) {
  const { value, error, loading } = useLoaded(
    () =>
      ask(
        withQuery('/api/v1/audit', {
          ...{ actor, act, object, after, limit: 50 },
          from: from && startOf(from),
          before: to && startOf(to, 1),
        }),
      ),
    [actor, act, object, from, to, after],
    { live: false },
  );
  const entries = value?.data ?? [];
  const choose = (name) => (event) => goWith({ [name]: event.target.value.trim(), after: undefined });
  const field = (
    name,
    label,
    given,
    { type = 'text', hint } = {},
  ) => html`<label class="field"><span>${label}</span>
    <input key=${name + (given ?? '')} type=${type} defaultValue=${given ?? ''} placeholder=${hint} onChange=${choose(name)} spellcheck="false" /></label>`;
  return html`
    <header class="title"><h1>Audit</h1></header>
    <p class="soft">Every act of people and admin keys that changes something. Entries stay for a year and cannot be changed. <a href="/docs/people" target="_blank">More about the audit list</a></p>
    <div class="filters" role="group" aria-label="Filters">
      ${field('actor', 'Who', actor, { hint: 'admin, key or an id' })}${field('act', 'Act', act, { hint: 'cancel-email' })}
      ${field('object', 'On what', object, { hint: 'id or address' })}${field('from', 'From day', from, { type: 'date' })}${field('to', 'To day', to, { type: 'date' })}
    </div>
    <${Fault} error=${error} />
    ${
      entries.length === 0 && !loading
        ? html`<${Empty} title="Nothing matches." />`
        : html`<table class="rows audit" aria-busy=${loading}>
            <thead><tr><th class="when">When</th><th class="who-did">Who</th><th class="main">What</th><th class="differs">Difference</th></tr></thead>
            <tbody>${entries.map((entry) => html`<${Entry} key=${entry.id} its=${entry} />`)}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>`;
}

function Entry({ its: { at, actor, act, object, before, after } }) {
  return html`<tr>
    <td class="when"><${Time} time=${at} /></td>
    <td class="who-did"><a href=${withQuery('/audit', { actor: actor.id ?? actor.kind })}>${who[actor.kind] ?? actor.name ?? actor.id}</a>
      ${actor.kind === 'key' && html` <span class="soft">key</span>`}</td>
    <td class="main"><a href=${withQuery('/audit', { act })}>${inWords(act)}</a>
      ${object && html` <span class="soft">${object.kind}</span> <${What} object=${object} />`}</td>
    <td class="soft differs">${differences(before, after).map((words) => html`<div key=${words}>${words}</div>`)}</td>
  </tr>`;
}

function What({ object: { kind, id, name } }) {
  if (id === null) return null;
  const words = name ?? (id.length > 40 ? `${id.slice(0, 12)}…` : id);
  return html`<a href=${pages[kind] ? pages[kind] + id : withQuery('/audit', { object: id })}>${words}</a>`;
}

/** `status: pending → cancelled`, a line for each. */
function differences(before, after) {
  const words = (value) =>
    value === undefined ? 'none' : Array.isArray(value) ? value.join(', ') : String(value);
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].map((name) =>
    name === 'fields'
      ? `changed: ${words(after.fields)}`
      : `${name.replaceAll('_', ' ')}: ${words(before[name])} → ${words(after[name])}`,
  );
}
