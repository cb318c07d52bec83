// Suppressions: who is not written to, why, and what showed it.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { may } from './me.js';
import { Action, Dialog, Empty, Fault, Field, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { useTyping } from './typing.js';
import { ago, bytes, causeWords, count, inFull } from './words.js';

const reasons = {
  bounce: { name: 'Bounced', tone: 'bad', says: 'A server said that the mailbox does not exist.' },
  complaint: { name: 'Complained', tone: 'bad', says: 'The recipient called a mail unwanted.' },
  unsubscribe: { name: 'Unsubscribed', tone: 'quiet', says: 'The recipient asked for no more of it.' },
  manual: { name: 'By hand', tone: 'stopped', says: 'A person or an application added it.' },
};

const pathOf = (address, stream) =>
  withQuery(`/api/v1/suppressions/${encodeURIComponent(address)}`, { stream });

/** The page of the list, or the one address that is looked for, with the words for its causes. */
async function load({ q, reason, stream, after }) {
  const page = q
    ? await ask(pathOf(q, stream)).then(
        (found) => ({ data: [found], has_more: false }),
        (problem) => {
          if (problem.status === 404) return { data: [], has_more: false };
          throw problem;
        },
      )
    : await ask(withQuery('/api/v1/suppressions', { reason, stream, after, limit: 50 }));
  const named = [...new Set(page.data.map(({ cause }) => cause).filter(Boolean))];
  const { causes } = named.length > 0 ? await ask(withQuery('/dashboard/causes', { named })) : { causes: {} };
  return { ...page, causes };
}

export function Suppressions({ query: { q = '', reason = '', stream = '', after } }) {
  const { value, error, loading, look } = useLoaded(
    () => load({ q, reason, stream, after }),
    [q, reason, stream, after],
    {
      live: false,
    },
  );
  const [open, setOpen] = useState();
  const close = async (isChanged) => {
    setOpen(undefined);
    if (isChanged) await look();
  };
  const add = () => setOpen({ dialog: Add });
  const entries = value?.data ?? [];
  return html`
    <header class="title"><h1>Suppressions</h1>
      <div class="bar">
        ${
          may('operate') &&
          html`<a class="button" href=${withQuery('/api/v1/suppressions/export', { reason, stream })} download="suppressions.csv"
            title="The list as CSV, with the reason and stream that are chosen here">Export</a>
            <button type="button" onClick=${() => setOpen({ dialog: Import })}>Import</button>
            <button type="button" class="primary" onClick=${add}>Add an address</button>`
        }
      </div></header>
    <p class="soft">Nothing is sent to these addresses. Other recipients of the same email are served.</p>
    <${Search} q=${q} reason=${reason} stream=${stream} />
    <${Fault} error=${error} />
    ${
      entries.length === 0 && !loading && !error
        ? html`<${Nobody} q=${q} isFiltered=${reason || stream} onAdd=${add} />`
        : html`<table class="rows suppressions" aria-busy=${loading}>
            <thead><tr><th class="state">Reason</th><th class="main">Address</th><th class="when">Since</th><th class="acts"><span class="unseen">Actions</span></th></tr></thead>
            <tbody>${entries.map(
              (entry) =>
                html`<${Entry} key=${`${entry.address} ${entry.stream ?? ''}`} entry=${entry} causes=${value?.causes} look=${look} />`,
            )}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${open && html`<${open.dialog} address=${q} stream=${stream} onClose=${close} />`}`;
}

function Search({ q, reason, stream }) {
  const type = useTyping((address) => {
    // Half an address is none: the api would only say so.
    if (address !== '' && !/.@./.test(address)) return;
    goWith({ q: address, reason: undefined, after: undefined }, { replace: true });
  });
  return html`<search class="search">
    <div class="line"><input type="search" inputmode="email" placeholder="The whole address, such as ann@example.com"
      aria-label="Why is this address not written to?" defaultValue=${q} onInput=${type} spellcheck="false" />
      <input class="stream" placeholder="Any stream" aria-label="Only the stream" key=${stream} defaultValue=${stream} spellcheck="false"
        onChange=${(event) => goWith({ stream: event.target.value.trim(), after: undefined })} /></div>
    <div class="chips" role="group" aria-label="Reasons">
      ${Object.entries(reasons).map(
        ([
          name,
          { name: words, tone, says },
        ]) => html`<button type="button" key=${name} class=${`chip ${tone}`} title=${says}
          aria-pressed=${reason === name} onClick=${() => goWith({ reason: reason === name ? undefined : name, q: undefined, after: undefined })}>${words}</button>`,
      )}
    </div>
  </search>`;
}

function Nobody({ q, isFiltered, onAdd }) {
  if (q)
    return html`<${Empty} title=${`${q} is not on the list.`}>
      <p>Emails to it are sent. <a href=${withQuery('/emails', { text: q })}>Emails to this address</a></p>
      ${may('operate') && html`<p><button type="button" onClick=${onAdd}>Add it</button></p>`}</${Empty}>`;
  if (isFiltered)
    return html`<${Empty} title="No address is on the list for this reason or stream."><p><a href="/suppressions">Show all</a></p></${Empty}>`;
  return html`<${Empty} title="Nobody is on the list.">
    <p>Addresses that do not exist are added by themselves, when a server says so.</p></${Empty}>`;
}

function Entry({ entry, causes, look }) {
  const {
    address,
    reason,
    stream,
    cause,
    source_email_id: emailId,
    source_queue_id: queueId,
    reply,
    note,
    created_at: since,
    expires_at: until,
  } = entry;
  const source = emailId ? `/emails/${emailId}` : queueId ? `/submitted/${queueId}` : undefined;
  const words = causeWords(cause, causes);
  const remove = async () => {
    await ask(pathOf(address, stream), { method: 'DELETE' });
    await look();
  };
  const { name, tone, says } = reasons[reason] ?? { name: reason, tone: 'quiet' };
  return html`<tr>
    <td><span class=${`status ${tone}`} title=${says}>${name}</span></td>
    <td class="main"><b>${address}</b>
      ${stream && html` <span class="soft">only the stream <code>${stream}</code></span>`}
      <div class="why">${words ? html`${words.title}. ` : html`${says} `}${
        source && html`<a href=${source}>The email that showed it</a>`
      }</div>
      ${reply && html`<pre class="said">${reply}</pre>`}
      ${note && html`<div class="soft">${note}</div>`}
      ${until && html`<div class="soft" title=${inFull(until)}>Ends ${ago(until)}</div>`}</td>
    <td class="when"><${Time} time=${since} /></td>
    <td class="acts"><${Action} kind="small" does=${remove}
      confirm=${{ title: `Write to ${address} again?`, text: 'Emails that were suppressed meanwhile stay so: send them again.', yes: 'Remove from the list' }}>Remove</${Action}></td>
  </tr>`;
}

function Add({ address, stream, onClose }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const { address: field, reason, stream: only, note } = event.target;
    try {
      await ask('/api/v1/suppressions', {
        method: 'POST',
        body: {
          address: field.value.trim(),
          reason: reason.value,
          ...(only.value.trim() && { stream: only.value.trim() }),
          ...(note.value.trim() && { note: note.value.trim() }),
        },
      });
      onClose(true);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<${Dialog} title="Add an address" onClose=${() => onClose(false)}>
    <form onSubmit=${submit}>
      <${Field} label="Address"><input name="address" type="email" required defaultValue=${address} autocomplete="off" /></${Field}>
      <${Field} label="Reason"><select name="reason" defaultValue="manual">
        ${Object.entries(reasons)
          .reverse()
          .map(([value, { name }]) => html`<option key=${value} value=${value}>${name}</option>`)}
      </select></${Field}>
      <${StreamField} stream=${stream} hint="Empty: for all mail." />
      <${Field} label="Note" hint="For whoever asks later, such as “Asked by telephone”."><input name="note" maxlength="500" /></${Field}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${() => onClose(false)}>Back</button><button class="primary">Add</button></footer>
    </form>
  </${Dialog}>`;
}

const StreamField = ({ stream, hint }) =>
  html`<${Field} label="Stream" hint=${hint}><input name="stream" maxlength="256" pattern="[A-Za-z0-9_\\-]+" defaultValue=${stream} spellcheck="false" /></${Field}>`;

// As the api takes it at most.
const mostBytes = 16 * 1024 * 1024;

/** All lines or none: what is wrong is told by line, and the file can be chosen again. */
function Import({ stream, onClose }) {
  const [error, setError] = useState();
  const [done, setDone] = useState();
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const { file, reason, stream: only } = event.target;
    const [chosen] = file.files;
    setError(undefined);
    if (chosen.size > mostBytes) {
      setError(new Error(`The file has ${bytes(chosen.size)}. A file may have 16 MB: divide it.`));
      return;
    }
    setBusy(true);
    const query = { reason: reason.value, stream: only.value.trim() };
    await ask(withQuery('/api/v1/suppressions/import', query), {
      method: 'POST',
      type: 'text/csv',
      body: chosen,
    }).then(setDone, setError);
    setBusy(false);
  };
  if (done)
    return html`<${Dialog} title="The file is on the list" onClose=${() => onClose(true)}>
      <p role="status">${count(done.added)} added, ${count(done.known)} known already.</p>
      <footer><button type="button" class="primary" onClick=${() => onClose(true)}>Close</button></footer>
    </${Dialog}>`;
  return html`<${Dialog} title="Import a list" onClose=${() => onClose()}>
    <form onSubmit=${submit}>
      <p>A CSV file with the columns <code>address</code>, and if there are <code>reason</code>, <code>stream</code>, <code>created_at</code>; or an export of SendGrid, Mailgun or Postmark. At most 100,000 lines. All of them or none. <a href="/docs/suppressions" target="_blank">More about it</a></p>
      <${Field} label="File"><input name="file" type="file" accept=".csv,text/csv" required /></${Field}>
      <${Field} label="Reason" hint="For lines that do not say one."><select name="reason" defaultValue="">
        <option value="">By hand, or what the columns show</option>
        ${Object.entries(reasons).map(([value, { name }]) => html`<option key=${value} value=${value}>${name}</option>`)}
      </select></${Field}>
      <${StreamField} stream=${stream} hint="For lines that do not say one. Empty: for all mail." />
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${() => onClose()}>Back</button><button class="primary" disabled=${busy}>${busy ? 'Importing …' : 'Import'}</button></footer>
    </form>
  </${Dialog}>`;
}
