// What narrows the list of mail: all of it stands in the address of the page.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { may } from './me.js';
import { goWith } from './route.js';
import { useTyping } from './typing.js';
import { finalStatuses, statusWords, waitingStatuses } from './words.js';

const kinds = ['invitation', 'single', 'scheduled', 'rejection', 'test'];

export const filterNames = [
  'text',
  'statuses',
  'kind',
  'source',
  'tag',
  'stream',
  'key',
  'customer',
  'client',
  'cause',
  'from',
  'to',
];
const rare = ['source', 'kind', 'tag', 'stream', 'key', 'customer', 'client', 'cause', 'from', 'to'];

export const isAnySet = (query) => filterNames.some((name) => query[name]);

/** The day begins and ends in the time of whoever looks. */
export const startOf = (day, plusDays = 0) => {
  const [year, month, date] = day.split('-').map(Number);
  const time = new Date(year, month - 1, date + plusDays);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
};

/** What the api is asked for. */
export function searchOf({
  text,
  statuses,
  kind,
  source,
  tag,
  stream,
  key,
  customer,
  client,
  cause,
  from,
  to,
}) {
  return {
    ...{ text, statuses, kind, source, tag, stream, key, customer, client, cause },
    from: from && startOf(from),
    before: to && startOf(to, 1),
  };
}

export function Filters({ query }) {
  const field = useRef();
  const text = query.text ?? '';
  const wanted = (query.statuses ?? '').split(',').filter(Boolean);
  const used = rare.filter((name) => query[name]);
  const [open, setOpen] = useState(used.length > 0);
  useEffect(() => {
    if (document.activeElement !== field.current) field.current.value = text;
  }, [text]);
  const type = useTyping((typed) => goWith({ text: typed, after: undefined }));
  const toggle = (status) => {
    const next = wanted.includes(status) ? wanted.filter((each) => each !== status) : [...wanted, status];
    goWith({ statuses: next.join(','), after: undefined });
  };
  return html`<search class="search">
    <div class="line">
      <input ref=${field} type="search" onInput=${type} placeholder="Subject, name, address, id or words of the body"
        aria-label="Search emails" defaultValue=${text} spellcheck="false" />
      <button type="button" aria-expanded=${open} aria-controls="filters" onClick=${() => setOpen(!open)}>Filters${used.length > 0 ? ` (${used.length})` : ''}</button>
    </div>
    ${open && html`<${More} query=${query} used=${used} />`}
    <div class="chips" role="group" aria-label="Statuses">
      ${[...waitingStatuses, ...finalStatuses].map(
        (status) => html`<button type="button" key=${status} class=${`chip ${statusWords[status].tone}`}
          aria-pressed=${wanted.includes(status)} onClick=${() => toggle(status)} title=${statusWords[status].means}>${status}</button>`,
      )}
    </div>
  </search>`;
}

const choose = (name) => (event) => goWith({ [name]: event.target.value.trim(), after: undefined });

function More({ query, used }) {
  const [keys, setKeys] = useState([]);
  useEffect(() => {
    if (!may('admin')) return;
    ask('/api/v1/keys?limit=100').then(
      ({ data }) => setKeys(data),
      () => {},
    );
  }, []);
  const isCredential = query.key && !keys.some(({ id }) => id === query.key);
  const text = (name, label, hint) => html`<label class="field"><span>${label}</span>
    <input key=${name + (query[name] ?? '')} defaultValue=${query[name] ?? ''} placeholder=${hint} onChange=${choose(name)} spellcheck="false" /></label>`;
  const day = (name, label) => html`<label class="field"><span>${label}</span>
    <input type="date" key=${name + (query[name] ?? '')} defaultValue=${query[name] ?? ''} onChange=${choose(name)} /></label>`;
  return html`<div class="filters" id="filters" role="group" aria-label="Filters">
    <label class="field"><span>Source</span><select value=${query.source ?? ''} onChange=${choose('source')}>
      <option value="">API and SMTP</option><option value="api">API</option><option value="smtp">SMTP</option></select></label>
    <label class="field"><span>Kind</span><select value=${query.kind ?? ''} onChange=${choose('kind')}>
      <option value="">any</option>${kinds.map((kind) => html`<option key=${kind} value=${kind}>${kind}</option>`)}</select></label>
    ${day('from', 'From day')}${day('to', 'To day')}
    <label class="field"><span>Key</span><select value=${isCredential ? '' : (query.key ?? '')} onChange=${choose('key')}>
      <option value="">any</option>${keys.map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}</select></label>
    <label class="field"><span>SMTP account</span><input key=${`account${query.key ?? ''}`} defaultValue=${isCredential ? query.key : ''}
      placeholder="of RELAY_USERS" onChange=${choose('key')} spellcheck="false" /></label>
    ${text('tag', 'Tag', 'name:value')}
    ${text('stream', 'Stream', 'such as newsletter')}
    ${text('customer', 'Customer', 'its id')}
    ${text('client', 'Client', 'its id')}
    ${text('cause', 'Cause', 'see /docs/causes')}
    ${
      used.length > 0 &&
      html`<button type="button" onClick=${() => goWith({ ...Object.fromEntries(rare.map((name) => [name, undefined])), after: undefined })}>Clear</button>`
    }
  </div>`;
}
