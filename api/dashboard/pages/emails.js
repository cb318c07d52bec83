// Emails: one list of all mail, found by words, source, status, tag, key, customer, kind and time. The search is the
// address, so a view can be sent to somebody.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { Bulk } from './bulk.js';
import { Filters, filterNames, isAnySet, searchOf } from './filters.js';
import { html } from './html.js';
import { Labels } from './labels.js';
import { may } from './me.js';
import { Empty, Fault, Status, Time, useLoaded } from './parts.js';
import { cameBack, go, goWith } from './route.js';
import { causeWords, count, mailPath, upTo } from './words.js';

export function Emails({ query }) {
  const { after } = query;
  const dependencies = [...filterNames, 'after'].map((name) => query[name]);
  const search = searchOf(query);
  const isFiltered = isAnySet(query);
  const { value, error, loading } = useLoaded(
    () => ask(withQuery('/dashboard/emails', { ...search, after })),
    dependencies,
    // The pages behind the first are read, not watched: what moves in above would push the rows away.
    { live: after === undefined, keep: location.href },
  );
  const [chosen, setChosen] = useState(new Set());
  useEffect(() => setChosen(new Set()), dependencies);
  const emails = value?.data ?? [];

  return html`
    <header class="title"><h1>Emails <${Total} search=${search} dependencies=${dependencies} /></h1>
      ${emails.length > 0 && may('operate') && html`<a class="button small" href=${withQuery('/dashboard/emails.csv', search)} download title="What matches, newest first, at most 50,000 rows">CSV</a>`}
    </header>
    <${Filters} query=${query} />
    <${Fault} error=${error} />
    <${Bulk} search=${search} isFiltered=${isFiltered} chosen=${chosen} onDone=${() => setChosen(new Set())} any=${emails.length > 0} />
    ${
      emails.length === 0 && !loading && !error
        ? html`<${Nothing} isFiltered=${isFiltered} />`
        : html`<${Rows} emails=${emails} causes=${value?.causes} chosen=${chosen} setChosen=${setChosen} loading=${loading} />`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>`;
}

const Nothing = ({ isFiltered }) =>
  isFiltered
    ? html`<${Empty} title="No emails match.">
        <p>The search finds words, addresses, ids and names of keys; middles of words and what the body says only in newer emails. <a href="/emails">Show all emails</a></p>
      </${Empty}>`
    : html`<${Empty} title="No emails yet.">
        <p>Send a test email from <a href="/diagnosis">Diagnosis</a>, through <a href="/docs/api" target="_blank">the API</a>, or over SMTP to port 2525 of the relay with an account of <code>RELAY_USERS</code>.</p>
      </${Empty}>`;

/** Counted apart from the rows, which should not wait for it. */
function Total({ search, dependencies }) {
  const { value } = useLoaded(
    () => ask(withQuery('/dashboard/emails/count', search)),
    dependencies.slice(0, -1),
  );
  return value ? html`<span class="total soft">${upTo(value.count, value.counted_up_to)}</span>` : null;
}

// Whoever comes back to the list goes on where it was left.
let lastOpened;

function Rows({ emails, causes, chosen, setChosen, loading }) {
  const table = useRef();
  const toggle = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const isAll = emails.length > 0 && emails.every(({ id }) => chosen.has(id));
  useEffect(() => {
    if (cameBack() && lastOpened) table.current.querySelector(`a.subject[href$="/${lastOpened}"]`)?.focus();
    lastOpened = undefined;
  }, []);
  const move = (event) => {
    if (event.target.closest('input, select, textarea, dialog')) return;
    const links = [...table.current.querySelectorAll('a.subject')];
    const here = links.indexOf(document.activeElement);
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step && (here >= 0 || event.key.length === 1)) {
      event.preventDefault();
      links[Math.min(links.length - 1, Math.max(0, here + step))]?.focus();
    }
    if (event.key === 'x' && here >= 0) toggle(emails[here].id);
  };
  useLayoutEffect(() => {
    addEventListener('keydown', move);
    return () => removeEventListener('keydown', move);
  });
  const open = (event, email) => {
    lastOpened = email.id;
    if (!event.target.closest('a, input') && !getSelection().toString()) go(mailPath(email));
  };
  return html`<table class="rows mails" ref=${table} aria-busy=${loading}>
    <thead><tr>
      <th class="pick"><input type="checkbox" aria-label="Select all on this page" checked=${isAll}
        onChange=${() => setChosen(isAll ? new Set() : new Set(emails.map(({ id }) => id)))} /></th>
      <th class="state">Status</th><th class="main">Subject</th><th class="to">To</th><th class="by">By</th><th class="when">When</th>
    </tr></thead>
    <tbody>
      ${emails.map(
        (
          email,
        ) => html`<tr key=${email.id} class=${chosen.has(email.id) ? 'chosen' : ''} onClick=${(event) => open(event, email)}>
          <${Cells} email=${email} causes=${causes} isChosen=${chosen.has(email.id)} onToggle=${() => toggle(email.id)} />
        </tr>`,
      )}
    </tbody>
  </table>`;
}

function Cells({ email, causes, isChosen, onToggle }) {
  const subject =
    email.subject || (email.subject === null ? `From ${email.from || 'the mail system'}` : '(no subject)');
  const [to] = email.recipients;
  const isTrouble = !['cancelled', 'sent'].includes(email.status);
  const why = email.reason && isTrouble && causeWords(email.reason, causes).title;
  const isLater = email.status === 'pending' && new Date(email.due_at) > Date.now();
  return html`
    <td class="pick"><input type="checkbox" aria-label=${`Select ${subject}`} checked=${isChosen} onChange=${onToggle} /></td>
    <td><${Status} status=${email.status} paused=${email.paused && email.status === 'pending'} /></td>
    <td class="main"><div class="line"><a class="subject" href=${mailPath(email)}>${subject}</a>
      ${(email.tags.length > 0 || email.stream) && html`<span class="tags"><${Labels} tags=${email.tags} stream=${email.stream} /></span>`}</div>
      ${why && html`<div class="why" title=${why}>${why}</div>`}</td>
    <td class="to" title=${to?.address}><div class="line"><span class="cut">${to?.address}</span>${email.recipient_count > 1 && html` <span class="soft">+${count(email.recipient_count - 1)}</span>`}</div></td>
    <td class="by soft" title=${email.credential}>${email.source === 'smtp' ? html`<span title="Submitted over SMTP">SMTP</span> ${email.credential}` : email.kind}</td>
    <td class="when">${isLater ? html`<${Time} time=${email.due_at} relative />` : html`<${Time} time=${email.created_at} />`}</td>`;
}
