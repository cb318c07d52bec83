// Customers: who they are, and whether their invitation arrived.
import { useEffect, useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { CustomerState } from './customer.js';
import { html } from './html.js';
import { InvitationState } from './invitation.js';
import { may } from './me.js';
import { Dialog, Empty, Fault, Field, Time, useLoaded } from './parts.js';
import { go, goWith } from './route.js';
import { useTyping } from './typing.js';

export function Customers({ query: { q = '', after, id } }) {
  // Addresses of before each customer had a page.
  useEffect(() => {
    if (id) go(`/customers/${id}`, { replace: true });
  }, [id]);
  const { value, error, loading } = useLoaded(
    () => ask(withQuery('/api/customers', { q, after, limit: 50 })),
    [q, after],
    { keep: location.href },
  );
  const [creating, setCreating] = useState(false);
  const customers = value?.data ?? [];
  const type = useTyping((typed) => goWith({ q: typed, after: undefined }, { replace: true }));
  return html`
    <header class="title"><h1>Customers</h1>
      ${may('operate') && html`<button type="button" class="primary" onClick=${() => setCreating(true)}>New customer</button>`}</header>
    <search class="search"><div class="line">
      <input type="search" placeholder="A part of a name or an address" aria-label="Search customers" defaultValue=${q} onInput=${type} />
    </div></search>
    <${Fault} error=${error} />
    ${
      customers.length === 0 && !loading
        ? html`<${Empty} title=${q ? 'No customers match.' : 'No customers yet.'}>
            ${!q && html`<p>Create one here, over <code>POST /api/customers</code>, or approve an <a href="/applications">application</a>.</p>`}</${Empty}>`
        : html`<table class="rows customers" aria-busy=${loading}>
            <thead><tr><th class="state">Status</th><th class="main">Name</th><th class="to">Owner</th><th class="state">Invitation</th><th class="when">Since</th></tr></thead>
            <tbody>${customers.map((customer) => html`<${Row} key=${customer.id} customer=${customer} />`)}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${creating && html`<${NewCustomer} onClose=${() => setCreating(false)} />`}`;
}

const Row = ({ customer }) => html`<tr onClick=${(event) => {
  if (!event.target.closest('a') && !getSelection().toString()) go(`/customers/${customer.id}`);
}}>
  <td><${CustomerState} status=${customer.status} /></td>
  <td class="main"><a class="subject" href=${`/customers/${customer.id}`}>${customer.name}</a>
    <span class="why soft">${customer.email}</span></td>
  <td class="to">${customer.owner.name} <span class="soft">${customer.owner.email}</span></td>
  <td class="invited"><${InvitationState} invitation=${customer.invitation} /></td>
  <td class="when"><${Time} time=${customer.created_at} /></td>
</tr>`;

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
      go(`/customers/${made.customer.id}`);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<${Dialog} title="New customer" onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Field} label="Name"><input name="name" required maxlength="200" /></${Field}>
      <${Field} label="Address"><input name="email" type="email" required /></${Field}>
      <${Field} label="Owner’s name" hint="Who signs in. Empty: the same as the customer."><input name="ownerName" maxlength="200" /></${Field}>
      <${Field} label="Owner’s address"><input name="ownerEmail" type="email" /></${Field}>
      <label class="check"><input type="checkbox" name="invite" defaultChecked /> Send the invitation</label>
      <${Fault} error=${error} />
      ${error?.body?.customer_id && html`<p><a href=${`/customers/${error.body.customer_id}`}>Show the customer that has this address</a></p>`}
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Create</button></footer>
    </form>
  </${Dialog}>`;
}
