// Removing a customer: it says what goes and what stays, and asks for the name, because there is no way back.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { Dialog, Fault, Field } from './parts.js';
import { go } from './route.js';
import { plural } from './words.js';

const ways = {
  delete: {
    label: 'Delete the customer',
    says: 'The customer, its owner and its invitations are removed, and the link stops working. Emails that were not sent yet are cancelled. Sent emails stay in the list until RETENTION_ROWS ends.',
    yes: 'Delete',
  },
  erase: {
    label: 'Delete it, and erase the person',
    says: 'As above, and what Postern keeps of these addresses: bodies, subjects and attachments of emails to them, and the addresses themselves in all emails, timelines, forms, applications and submitted mail. Statuses and times stay. Whoever is on the suppression list stays on it.',
    yes: 'Delete and erase',
  },
};

export function Removal({ its: { customer, owner }, onClose }) {
  const [way, setWay] = useState('delete');
  const [typed, setTyped] = useState('');
  const [error, setError] = useState();
  const [erased, setErased] = useState();
  const [busy, setBusy] = useState(false);
  const addresses = [...new Set([owner.email, customer.email])];
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      // The person first: while the account is there, it can be done again.
      const done = way === 'erase' ? await erase(addresses) : undefined;
      await ask(`/api/customers/${customer.id}`, { method: 'DELETE' });
      if (done) setErased(done);
      else go('/customers');
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  if (erased)
    return html`<${Dialog} title=${`${customer.name} is removed`} onClose=${() => go('/customers')}>
      <p>${plural(erased.emails, 'email')} and ${plural(erased.messages, 'message')} over SMTP were erased.</p>
      ${erased.left > 0 && html`<p class="fault">${plural(erased.left, 'email')} of this person ${erased.left === 1 ? 'is' : 'are'} being sent now. Erase again later: <code>DELETE /api/v1/recipients/ADDRESS</code></p>`}
      <footer><button type="button" class="primary" onClick=${() => go('/customers')}>Close</button></footer>
    </${Dialog}>`;
  return html`<${Dialog} title=${`Remove ${customer.name}?`} onClose=${() => onClose()}>
    <form onSubmit=${submit}>
      ${Object.entries(ways).map(
        ([value, { label, says }]) => html`<label class="check top" key=${value}>
          <input type="radio" name="way" checked=${way === value} onChange=${() => setWay(value)} />
          <span><b>${label}</b> <span class="soft">${says}</span>
            ${value === 'erase' && html`<br /><code>${addresses.join(', ')}</code>`}</span></label>`,
      )}
      <${Field} label=${html`Type <code>${customer.name}</code> to confirm`} hint="This cannot be undone.">
        <input name="typed" autocomplete="off" spellcheck="false" onInput=${(event) => setTyped(event.target.value)} /></${Field}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${() => onClose()}>Back</button>
        <button class="danger" disabled=${busy || typed.trim() !== customer.name}>${ways[way].yes}</button></footer>
    </form>
  </${Dialog}>`;
}

async function erase(addresses) {
  const all = { emails: 0, messages: 0, left: 0 };
  for (const address of addresses) {
    const { erased, still_leaving: left } = await ask(`/api/v1/recipients/${encodeURIComponent(address)}`, {
      method: 'DELETE',
    });
    all.emails += erased.emails;
    all.messages += erased.messages;
    all.left = Math.max(all.left, left);
  }
  return all;
}
