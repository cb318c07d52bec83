// Suppressions: who is not written to, why, and what showed it.
import { useRef, useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { may } from './me.js';
import { Action, Dialog, Empty, Fault, Field, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { ago, causeWords, inFull } from './words.js';

const reasons = {
  bounce: { name: 'Bounced', tone: 'bad', says: 'A server said that the mailbox does not exist.' },
  complaint: { name: 'Complained', tone: 'bad', says: 'The recipient called a mail unwanted.' },
  unsubscribe: { name: 'Unsubscribed', tone: 'quiet', says: 'The recipient asked for no more of it.' },
  manual: { name: 'By hand', tone: 'stopped', says: 'A person or an application added it.' },
};

const pathOf = (address, stream) =>
  withQuery(`/api/v1/suppressions/${encodeURIComponent(address)}`, { stream });

/** The page of the list, or the one address that is looked for, with the words for its causes. */
async function load({ q, reason, after }) {
  const page = q
    ? await ask(pathOf(q)).then(
        (found) => ({ data: [found], has_more: false }),
        (problem) => {
          if (problem.status === 404) return { data: [], has_more: false };
          throw problem;
        },
      )
    : await ask(withQuery('/api/v1/suppressions', { reason, after, limit: 50 }));
  const named = [...new Set(page.data.map(({ cause }) => cause).filter(Boolean))];
  const { causes } = named.length > 0 ? await ask(withQuery('/dashboard/causes', { named })) : { causes: {} };
  return { ...page, causes };
}

export function Suppressions({ query: { q = '', reason = '', after } }) {
  const { value, error, loading, look } = useLoaded(() => load({ q, reason, after }), [q, reason, after], {
    live: false,
  });
  const [adding, setAdding] = useState(false);
  const entries = value?.data ?? [];
  return html`
    <header class="title"><h1>Suppressions</h1>
      ${may('operate') && html`<button type="button" class="primary" onClick=${() => setAdding(true)}>Add an address</button>`}</header>
    <p class="soft">Nothing is sent to these addresses. Other recipients of the same email are served.</p>
    <${Search} q=${q} reason=${reason} />
    <${Fault} error=${error} />
    ${
      entries.length === 0 && !loading && !error
        ? html`<${Nobody} q=${q} reason=${reason} onAdd=${() => setAdding(true)} />`
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
    ${
      adding &&
      html`<${Add} address=${q} onClose=${async (added) => {
        setAdding(false);
        if (added) await look();
      }} />`
    }`;
}

function Search({ q, reason }) {
  const timer = useRef();
  const type = (event) => {
    const address = event.target.value.trim();
    clearTimeout(timer.current);
    // Half an address is none: the api would only say so.
    if (address !== '' && !/.@./.test(address)) return;
    timer.current = setTimeout(
      () => goWith({ q: address, reason: undefined, after: undefined }, { replace: true }),
      300,
    );
  };
  return html`<search class="search">
    <div class="line"><input type="search" inputmode="email" placeholder="The whole address, such as ann@example.com"
      aria-label="Why is this address not written to?" defaultValue=${q} onInput=${type} spellcheck="false" /></div>
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

function Nobody({ q, reason, onAdd }) {
  if (q)
    return html`<${Empty} title=${`${q} is not on the list.`}>
      <p>Emails to it are sent. <a href=${withQuery('/emails', { text: q })}>Emails to this address</a></p>
      ${may('operate') && html`<p><button type="button" onClick=${onAdd}>Add it</button></p>`}</${Empty}>`;
  if (reason)
    return html`<${Empty} title="No address is on the list for this reason."><p><a href="/suppressions">Show all</a></p></${Empty}>`;
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

function Add({ address, onClose }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const { address: field, reason, note } = event.target;
    try {
      await ask('/api/v1/suppressions', {
        method: 'POST',
        body: {
          address: field.value.trim(),
          reason: reason.value,
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
      <${Field} label="Note" hint="For whoever asks later, such as “Asked by telephone”."><input name="note" maxlength="500" /></${Field}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${() => onClose(false)}>Back</button><button class="primary">Add</button></footer>
    </form>
  </${Dialog}>`;
}
