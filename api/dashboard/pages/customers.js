// Customers: who they are, whether their invitation arrived, and what can be done when it did not.
import { useRef, useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { Action, Dialog, Empty, Fault, Field, Status, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { ago } from './words.js';

export function Customers({ query: { q = '', after, id } }) {
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery('/api/customers', { q, after, limit: 50 })),
    [q, after],
  );
  const [creating, setCreating] = useState(false);
  const timer = useRef();
  const customers = value?.data ?? [];
  const type = (event) => {
    const text = event.target.value.trim();
    clearTimeout(timer.current);
    timer.current = setTimeout(() => goWith({ q: text, after: undefined }, { replace: true }), 250);
  };
  return html`
    <header class="title"><h1>Customers</h1>
      <button type="button" class="primary" onClick=${() => setCreating(true)}>New customer</button></header>
    <search class="search"><div class="line">
      <input type="search" placeholder="A name or an address" aria-label="Search customers" defaultValue=${q} onInput=${type} />
    </div></search>
    <${Fault} error=${error} />
    ${
      customers.length === 0 && !loading
        ? html`<${Empty} title=${q ? 'No customers match.' : 'No customers yet.'} />`
        : html`<table class="rows">
            <thead><tr><th class="state">Status</th><th>Name</th><th>Owner</th><th class="when">Since</th></tr></thead>
            <tbody>${customers.map(
              (customer) => html`<tr key=${customer.id}>
                <td><${State} status=${customer.status} /></td>
                <td class="main"><a class="subject" href=${withQuery('/customers', { q, after, id: customer.id })}>${customer.name}</a>
                  <span class="why">${customer.email}</span></td>
                <td class="to">${customer.owner.name} <span class="soft">${customer.owner.email}</span></td>
                <td class="when"><${Time} time=${customer.created_at} /></td>
              </tr>`,
            )}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${
      creating &&
      html`<${NewCustomer} onClose=${(made) => {
        setCreating(false);
        if (made) {
          void look();
          goWith({ id: made });
        }
      }} />`
    }
    ${id && html`<${Customer} id=${id} key=${id} onClose=${() => goWith({ id: undefined })} onChange=${look} />`}`;
}

const tones = { active: 'good', invited: 'waiting', inactive: 'quiet' };
const State = ({ status }) => html`<span class=${`status ${tones[status] ?? 'quiet'}`}>${status}</span>`;

function Customer({ id, onClose, onChange }) {
  const { value, error, look } = useLoaded(() => ask(`/api/customers/${id}`), [id]);
  const [fault, setFault] = useState();
  const does =
    (path, method = 'POST') =>
    async () => {
      await ask(`/api/customers/${id}${path}`, { method });
      if (method === 'DELETE') onClose();
      else await look();
      await onChange();
    };
  const { customer, owner, invitation } = value ?? {};
  return html`<${Dialog} title=${customer?.name ?? 'Customer'} onClose=${onClose}>
    <${Fault} error=${error ?? fault} />
    ${
      customer &&
      html`
        <dl class="envelope">
          <dt>Status</dt><dd><${State} status=${customer.status} /></dd>
          <dt>Address</dt><dd>${customer.email}</dd>
          <dt>Owner</dt><dd>${owner.name} <span class="soft">${owner.email}</span></dd>
          <dt>Invitation</dt><dd>${invitation ? html`<${Invitation} invitation=${invitation} />` : 'not sent'}</dd>
          <dt>Since</dt><dd><${Time} time=${customer.created_at} /></dd>
        </dl>
        <footer>
          ${
            !owner.activated_at &&
            customer.status !== 'inactive' &&
            html`<${Action} does=${does('/invitation')} onError=${setFault}>${
              invitation ? 'Invite again' : 'Invite'
            }</${Action}>`
          }
          ${
            customer.status === 'inactive'
              ? html`<${Action} does=${does('/reactivate')} onError=${setFault}>Reactivate</${Action}>`
              : html`<${Action} does=${does('/deactivate')} onError=${setFault}
                  confirm=${{ title: `Deactivate ${customer.name}?`, text: 'Its invitation ends, and its emails that were not sent yet are cancelled.', yes: 'Deactivate' }}>Deactivate</${Action}>`
          }
          <${Action} kind="danger" does=${does('', 'DELETE')} onError=${setFault}
            confirm=${{ title: `Delete ${customer.name}?`, text: 'The customer, its owner and its invitation are deleted. This cannot be undone. Sent emails stay in the list.', yes: 'Delete', danger: true }}>Delete</${Action}>
          <button type="button" onClick=${onClose}>Close</button>
        </footer>`
    }
  </${Dialog}>`;
}

export const Invitation = ({ invitation }) => html`
  ${
    invitation.status
      ? html`<a href=${`/emails/${invitation.email_id}`}><${Status} status=${invitation.status} /></a>`
      : html`<span class="soft">its email is no longer stored</span>`
  }
  ${' '}<span class="soft">
    ${
      invitation.accepted_at
        ? `accepted ${ago(invitation.accepted_at)}`
        : invitation.revoked_at
          ? 'withdrawn'
          : `ends ${ago(invitation.expires_at)}`
    }</span>`;

function NewCustomer({ onClose }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const { name, email, ownerName, ownerEmail, invite } = event.target;
    const owner = {
      name: ownerName.value.trim() || name.value.trim(),
      email: ownerEmail.value.trim() || email.value.trim(),
    };
    try {
      const made = await ask('/api/customers', {
        method: 'POST',
        body: { name: name.value.trim(), email: email.value.trim(), owner, sendInvitation: invite.checked },
      });
      onClose(made.customer.id);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<${Dialog} title="New customer" onClose=${() => onClose()}>
    <form onSubmit=${submit}>
      <${Field} label="Name"><input name="name" required maxlength="200" /></${Field}>
      <${Field} label="Address"><input name="email" type="email" required /></${Field}>
      <${Field} label="Owner’s name" hint="Empty: the same as the customer."><input name="ownerName" maxlength="200" /></${Field}>
      <${Field} label="Owner’s address"><input name="ownerEmail" type="email" /></${Field}>
      <label class="check"><input type="checkbox" name="invite" defaultChecked /> Send the invitation</label>
      <${Fault} error=${error} />
      ${error?.body?.customer_id && html`<p><a href=${`/customers?id=${error.body.customer_id}`} onClick=${() => onClose()}>Show the customer that has this address</a></p>`}
      <footer><button type="button" onClick=${() => onClose()}>Back</button><button class="primary">Create</button></footer>
    </form>
  </${Dialog}>`;
}
