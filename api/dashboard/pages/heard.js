// Which endpoints were told of a mail, and whether they took it.
import { html } from './html.js';
import { Time } from './parts.js';
import { plural } from './words.js';

const tones = { delivered: 'good', waiting: 'waiting', failed: 'bad' };

export const DeliveryStatus = ({ status, attempts }) => {
  const isFailing = status === 'waiting' && attempts > 0;
  return html`<span class=${`status ${isFailing ? 'care' : tones[status]}`}>${isFailing ? 'retrying' : status}</span>`;
};

export function Heard({ heard }) {
  if (!heard?.length) return null;
  const endpoints = [...new Set(heard.map(({ webhook_id: id }) => id))];
  return html`<section class="heard" aria-labelledby="heard">
    <h2 id="heard">Webhooks</h2>
    ${endpoints.map((id) => {
      const events = heard.filter((event) => event.webhook_id === id);
      const [{ url, deleted }] = events;
      return html`<div key=${id}>
        <p class="endpoint">${deleted ? html`${url} <span class="soft">deleted</span>` : html`<a href=${`/webhooks/${id}`}>${url}</a>`}</p>
        <ul>${events.map(
          (event) => html`<li key=${event.id}>
            <${DeliveryStatus} ...${event} /> <code>${event.type}</code>
            <span class="soft who">${event.recipient}</span>
            <span class="soft">${[
              event.answer_status && `answered ${event.answer_status}`,
              event.attempts > 1 && plural(event.attempts, 'attempt'),
              event.status !== 'delivered' && !event.answer_status && event.error,
            ]
              .filter(Boolean)
              .join(', ')}</span>
            <span class="soft at"><${Time} time=${event.at} /></span>
          </li>`,
        )}</ul></div>`;
    })}
  </section>`;
}
