// What the relay refused to take over SMTP, for whoever misses a mail in the list.
import { ask } from './ask.js';
import { html } from './html.js';
import { Empty, Fault, Time, useLoaded } from './parts.js';
import { count } from './words.js';

export function Refusals() {
  const { value, error, loading } = useLoaded(() => ask('/dashboard/refusals'), [], { live: true });
  const refusals = value?.data ?? [];
  return html`
    <header class="title"><h1>SMTP refusals</h1></header>
    <p class="soft">Submissions that the relay refused, with its reply. Repeats within an hour are one line. Emails that it took are in <a href="/emails?source=smtp">Emails</a>.</p>
    <${Fault} error=${error} />
    ${
      refusals.length === 0 && !loading && !error
        ? html`<${Empty} title="Nothing was refused." />`
        : html`<table class="rows refusals" aria-busy=${loading}><thead><tr><th>Client</th><th class="state">Command</th><th class="main">Reply</th><th class="state">Count</th><th class="when">Last</th></tr></thead>
        <tbody>${refusals.map(
          (
            refusal,
          ) => html`<tr key=${`${refusal.client} ${refusal.credential} ${refusal.stage} ${refusal.reason} ${refusal.first_at}`}>
            <td>${refusal.credential || html`<span class="soft">no login</span>`} <span class="soft">${refusal.client}</span></td>
            <td>${refusal.stage.toUpperCase()}</td>
            <td class="main">${refusal.reply}${refusal.sender && html`<span class="why">from ${refusal.sender}</span>`}</td>
            <td>${count(refusal.count)}</td>
            <td class="when"><${Time} time=${refusal.last_at} /></td>
          </tr>`,
        )}</tbody></table>`
    }`;
}
