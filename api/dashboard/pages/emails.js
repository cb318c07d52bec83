// Emails: found by words, status and kind. The search is the address, so a view can be sent to somebody.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { Dialog, Empty, Fault, Status, Time, useLoaded } from './parts.js';
import { go, goWith } from './route.js';
import { causeWords, count, finalStatuses, plural, statusWords, upTo, waitingStatuses } from './words.js';

const kinds = ['invitation', 'single', 'scheduled', 'rejection', 'test'];

export function Emails({ query }) {
  const { text = '', statuses = '', kind = '', after } = query;
  const search = { text, statuses, kind };
  const { value, error, loading } = useLoaded(
    () => ask(withQuery('/dashboard/emails', { ...search, after })),
    [text, statuses, kind, after],
    // The pages behind the first are read, not watched: what moves in above would push the rows away.
    { live: after === undefined },
  );
  const [chosen, setChosen] = useState(new Set());
  useEffect(() => setChosen(new Set()), [text, statuses, kind, after]);
  const emails = value?.data ?? [];

  return html`
    <header class="title"><h1>Emails</h1></header>
    <${Search} search=${search} />
    <${Fault} error=${error} />
    <${Bulk} search=${search} chosen=${chosen} onDone=${() => setChosen(new Set())} any=${emails.length > 0} />
    ${
      emails.length === 0 && !loading && !error
        ? html`<${Empty} title=${text || statuses || kind ? 'No emails match.' : 'No emails yet.'}>
            ${
              text || statuses || kind
                ? html`<p>The search finds the beginnings of words and addresses: <code>ann@</code>. <a href="/emails">Show all emails</a></p>`
                : html`<p>Send a test email from <a href="/diagnosis">Diagnosis</a>, or through <a href="/docs/api" target="_blank">the API</a>.</p>`
            }
          </${Empty}>`
        : html`<${Rows} emails=${emails} causes=${value?.causes} chosen=${chosen} setChosen=${setChosen} loading=${loading} />`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>`;
}

function Search({ search }) {
  const field = useRef();
  const timer = useRef();
  const wanted = search.statuses.split(',').filter(Boolean);
  useEffect(() => {
    if (document.activeElement !== field.current) field.current.value = search.text;
  }, [search.text]);
  const type = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => goWith({ text: field.current.value.trim(), after: undefined }), 200);
  };
  const toggle = (status) => {
    const next = wanted.includes(status) ? wanted.filter((each) => each !== status) : [...wanted, status];
    goWith({ statuses: next.join(','), after: undefined });
  };
  return html`<search class="search">
    <div class="line">
      <input ref=${field} type="search" onInput=${type} placeholder="Subject, name or address"
        aria-label="Search emails" defaultValue=${search.text} spellcheck="false" />
      <label class="inline"><span>Kind</span>
        <select value=${search.kind} onChange=${(event) => goWith({ kind: event.target.value, after: undefined })}>
          <option value="">any</option>
          ${kinds.map((kind) => html`<option key=${kind} value=${kind}>${kind}</option>`)}
        </select>
      </label>
    </div>
    <div class="chips" role="group" aria-label="Statuses">
      ${[...waitingStatuses, ...finalStatuses].map(
        (status) => html`<button type="button" key=${status} class=${`chip ${statusWords[status].tone}`}
          aria-pressed=${wanted.includes(status)} onClick=${() => toggle(status)} title=${statusWords[status].means}>${status}</button>`,
      )}
    </div>
  </search>`;
}

function Rows({ emails, causes, chosen, setChosen, loading }) {
  const table = useRef();
  const toggle = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const isAll = emails.length > 0 && emails.every(({ id }) => chosen.has(id));
  const move = (event) => {
    if (event.target.closest('input, select, textarea')) return;
    const links = [...table.current.querySelectorAll('a.subject')];
    const here = links.indexOf(document.activeElement);
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step && (here >= 0 || event.key.length === 1)) {
      event.preventDefault();
      links[Math.min(links.length - 1, Math.max(0, here + step))]?.focus();
    }
    if (event.key === 'x' && here >= 0) toggle(emails[here].id);
  };
  useEffect(() => {
    addEventListener('keydown', move);
    return () => removeEventListener('keydown', move);
  });
  return html`<table class="rows" ref=${table} aria-busy=${loading}>
    <thead><tr>
      <th class="pick"><input type="checkbox" aria-label="Select all on this page" checked=${isAll}
        onChange=${() => setChosen(isAll ? new Set() : new Set(emails.map(({ id }) => id)))} /></th>
      <th class="state">Status</th><th class="main">Subject</th><th>To</th><th class="when">When</th>
    </tr></thead>
    <tbody>
      ${emails.map((email) => {
        const to = email.recipients[0];
        const why =
          email.reason &&
          email.status !== 'cancelled' &&
          email.status !== 'sent' &&
          causeWords(email.reason, causes).title;
        return html`<tr key=${email.id} class=${chosen.has(email.id) ? 'chosen' : ''}
          onClick=${(event) => !event.target.closest('a, input') && !getSelection().toString() && go(`/emails/${email.id}`)}>
          <td class="pick"><input type="checkbox" aria-label=${`Select ${email.subject}`} checked=${chosen.has(email.id)}
            onChange=${() => toggle(email.id)} /></td>
          <td><${Status} status=${email.status} paused=${email.paused && email.status === 'pending'} /></td>
          <td class="main"><a class="subject" href=${`/emails/${email.id}`}>${email.subject || '(no subject)'}</a>
            ${why && html`<span class="why">${why}</span>`}</td>
          <td class="to">${to?.address}${email.recipients.length > 1 && html` <span class="soft">+${email.recipients.length - 1}</span>`}</td>
          <td class="when">${
            email.status === 'pending' && new Date(email.due_at) > Date.now()
              ? html`<${Time} time=${email.due_at} relative />`
              : html`<${Time} time=${email.created_at} />`
          }</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

const bulkActs = [
  {
    act: 'retry',
    name: 'Try again',
    says: 'Tries held, deferred, bounced and expired emails again at once.',
  },
  {
    act: 'cancel',
    name: 'Cancel',
    says: 'Cancels emails that were not sent yet. Emails that were sent, or may have been, do not change.',
    danger: true,
  },
  { act: 'hold', name: 'Hold', says: 'Keeps pending emails until somebody releases them.' },
  { act: 'release', name: 'Release', says: 'Releases emails that were put on hold.' },
];

function Bulk({ search, chosen, onDone, any }) {
  const [wanted, setWanted] = useState();
  const hasSearch = search.text || search.statuses || search.kind;
  if (!any || (chosen.size === 0 && !hasSearch)) return null;
  return html`<div class="bulk" role="group" aria-label="Actions on several emails">
    <span>${chosen.size > 0 ? `${plural(chosen.size, 'email')} chosen:` : 'With all that match:'}</span>
    ${bulkActs.map(
      (each) =>
        html`<button type="button" key=${each.act} class="small" onClick=${() => setWanted(each)}>${each.name}</button>`,
    )}
    ${
      wanted &&
      html`<${BulkDialog} wanted=${wanted} search=${search} chosen=${chosen} onClose=${(done) => {
        setWanted(undefined);
        if (done) onDone();
      }} />`
    }
  </div>`;
}

function BulkDialog({ wanted, search, chosen, onClose }) {
  const [found, setFound] = useState();
  const [progress, setProgress] = useState();
  const [error, setError] = useState();
  const stop = useRef(false);
  useEffect(() => {
    if (chosen.size > 0) setFound({ count: chosen.size, counted_up_to: Number.POSITIVE_INFINITY });
    else ask(withQuery('/dashboard/emails/count', search)).then(setFound, setError);
    return () => {
      stop.current = true;
    };
  }, []);

  const run = async () => {
    const total = { done: 0, late: 0 };
    setProgress({ ...total });
    try {
      for await (const results of inPortions(wanted.act, search, chosen, found, stop)) {
        for (const { outcome } of results) total[outcome === 'done' ? 'done' : 'late'] += 1;
        setProgress({ ...total });
      }
      setProgress({ ...total, over: true });
    } catch (problem) {
      setError(problem);
    }
  };

  const shown = found && upTo(found.count, found.counted_up_to);
  return html`<${Dialog} title=${`${wanted.name}: ${shown ?? '…'} ${found?.count === 1 ? 'email' : 'emails'}`}
    onClose=${() => onClose(progress !== undefined)}>
    <p>${wanted.says}</p>
    <${Fault} error=${error} />
    ${
      progress &&
      html`<p role="status"><progress max=${found.count || 1} value=${progress.done + progress.late}></progress>
        ${count(progress.done)} done${progress.late > 0 ? `, ${count(progress.late)} not changed` : ''}.</p>`
    }
    <footer>
      ${
        progress
          ? html`<button type="button" class="primary" onClick=${() => onClose(true)}>${progress.over ? 'Close' : 'Stop'}</button>`
          : html`<button type="button" onClick=${() => onClose(false)}>Back</button>
              <button type="button" class=${wanted.danger ? 'danger' : 'primary'} onClick=${run} disabled=${!found || found.count === 0}>
                ${wanted.name} ${shown}</button>`
      }
    </footer>
  </${Dialog}>`;
}

async function* inPortions(act, search, chosen, found, stop) {
  const send = (body) => ask('/dashboard/emails/act', { method: 'POST', body: { act, ...body } });
  if (chosen.size > 0) {
    yield (await send({ ids: [...chosen] })).results;
    return;
  }
  const given = {
    ...(search.text && { text: search.text }),
    ...(search.statuses && { statuses: search.statuses }),
    ...(search.kind && { kind: search.kind }),
  };
  let after;
  do {
    const { results, next } = await send({ search: given, newest: found.newest, ...(after && { after }) });
    yield results;
    after = next;
  } while (after && !stop.current);
}
