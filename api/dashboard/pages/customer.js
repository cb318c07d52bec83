// One customer: whether the invitation arrived, the last mail, and what can be done.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { consequences, InvitationNow } from './invitation.js';
import { may } from './me.js';
import {
  Action,
  Copy,
  Crumbs,
  Dialog,
  Fault,
  Field,
  Moment,
  Status,
  Time,
  useLoaded,
  useTitle,
} from './parts.js';
import { Removal } from './removal.js';
import { causeWords, mailPath } from './words.js';

const tones = { active: 'good', invited: 'waiting', inactive: 'quiet' };
export const CustomerState = ({ status }) =>
  html`<span class=${`status ${tones[status] ?? 'quiet'}`}>${status}</span>`;

const mostMails = 6;

async function load(id) {
  const [customer, mails] = await Promise.all([
    ask(`/api/customers/${id}`),
    ask(withQuery('/dashboard/emails', { customer: id })),
  ]);
  const { invitation } = customer;
  const mail = invitation?.status ? await ask(`/dashboard/emails/${invitation.email_id}`) : undefined;
  return { ...customer, mails, mail };
}

export function CustomerPage({ id }) {
  const [dialog, setDialog] = useState();
  // Behind a dialog nothing moves; and what is being removed is not asked for.
  const { value, error, look } = useLoaded(() => load(id), [id], { live: !dialog });
  const [fault, setFault] = useState();
  useTitle(value?.customer.name ?? 'Customer');
  if (error && !value)
    return html`<h1>Customer not found</h1><${Fault} error=${error} /><p><a href="/customers">All customers</a></p>`;
  if (!value) return html`<h1 class="unseen">Customer</h1><p class="soft" role="status">Loading …</p>`;
  const { customer, owner, invitation, mails, mail } = value;
  return html`
    <${Crumbs} to="/customers" name="Customers" />
    <header class="title mail"><h1>${customer.name}</h1><${CustomerState} status=${customer.status} /></header>
    <${InvitationNow} invitation=${invitation} mail=${mail}>
      <${InviteAgain} its=${value} look=${look} onError=${setFault} />
    </${InvitationNow}>
    <${Acts} its=${value} look=${look} onError=${setFault} dialog=${dialog} setDialog=${setDialog} />
    <${Fault} error=${fault} />
    <dl class="envelope">
      <dt>Address</dt><dd>${customer.email} <${Copy} text=${customer.email} what="the address" /></dd>
      <dt>Owner</dt><dd>${owner.name}, ${owner.email}
        ${owner.activated_at && html` <span class="soft">active since <${Time} time=${owner.activated_at} /></span>`}</dd>
      <dt>Since</dt><dd><${Moment} time=${customer.created_at} /></dd>
      ${customer.deactivated_at && html`<dt>Inactive since</dt><dd><${Moment} time=${customer.deactivated_at} /></dd>`}
      <dt>Id</dt><dd><code>${customer.id}</code> <${Copy} text=${customer.id} what="the id" /></dd>
    </dl>
    <${Mails} mails=${mails} id=${id} owner=${owner} />`;
}

/** What inviting does is said before it is done, and what it did afterwards. */
function InviteAgain({ its: { customer, owner, invitation }, look, onError }) {
  const [done, setDone] = useState();
  if (owner.activated_at) return null;
  if (customer.status === 'inactive')
    return html`<p class="soft">Reactivate the customer before inviting it.</p>`;
  const says = consequences(invitation, owner);
  const invite = async () => {
    await ask(`/api/customers/${customer.id}/invitation`, { method: 'POST' });
    await look();
    setDone(invitation ? 'Invited again, with a new link.' : 'Invited.');
  };
  return html`<div class="invite">
    ${done && html`<p role="status"><b>${done}</b></p>`}
    <p class="soft" id="invite-says">${says}</p>
    <p><${Action} kind=${invitation ? '' : 'primary'} needs="operate" does=${invite} onError=${onError}>${invitation ? 'Invite again' : 'Invite'}</${Action}></p>
  </div>`;
}

function Acts({ its, look, onError, dialog, setDialog }) {
  const { customer } = its;
  if (!may('operate')) return null;
  const does = (path) => async () => {
    await ask(`/api/customers/${customer.id}${path}`, { method: 'POST' });
    await look();
  };
  const opens = (shown) => () => setDialog({ shown });
  const close = async (isChanged) => {
    setDialog(undefined);
    if (isChanged) await look();
  };
  return html`<div class="actions" role="group" aria-label="Actions">
    ${may('operate') && html`<button type="button" onClick=${opens(Change)}>Change</button>`}
    ${customer.status === 'inactive' && html`<${Action} does=${does('/reactivate')} onError=${onError}>Reactivate</${Action}>`}
    ${
      (may('admin') || customer.status !== 'inactive') &&
      html`<details class="more"><summary>More</summary><div class="menu">
      ${
        customer.status !== 'inactive' &&
        html`<${Action} does=${does('/deactivate')} onError=${onError}
          confirm=${{ title: `Deactivate ${customer.name}?`, text: 'The link of its invitation ends, and its emails that were not sent yet are cancelled. It can be reactivated.', yes: 'Deactivate' }}>Deactivate …</${Action}>`
      }
      ${may('admin') && html`<button type="button" onClick=${opens(Removal)}>Delete or erase …</button>`}
    </div></details>`
    }
    ${dialog && html`<${dialog.shown} its=${its} onClose=${close} />`}
  </div>`;
}

function Change({ its: { customer, owner }, onClose }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const { name, email, ownerName, ownerEmail } = event.target;
    const body = {
      name: name.value.trim(),
      email: email.value.trim(),
      owner: { name: ownerName.value.trim(), email: ownerEmail.value.trim() },
    };
    try {
      await ask(`/api/customers/${customer.id}`, { method: 'PATCH', body });
      await onClose(true);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<${Dialog} title=${`Change ${customer.name}`} onClose=${() => onClose()}>
    <form onSubmit=${submit}>
      <${Field} label="Name"><input name="name" required maxlength="200" defaultValue=${customer.name} /></${Field}>
      <${Field} label="Address"><input name="email" type="email" required defaultValue=${customer.email} /></${Field}>
      <${Field} label="Owner’s name"><input name="ownerName" required maxlength="200" defaultValue=${owner.name} /></${Field}>
      <${Field} label="Owner’s address" hint="An invitation that was sent keeps working: invite again to reach a new address.">
        <input name="ownerEmail" type="email" required defaultValue=${owner.email} /></${Field}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${() => onClose()}>Back</button><button class="primary">Save</button></footer>
    </form>
  </${Dialog}>`;
}

function Mails({ mails: { data, has_more: hasMore, causes }, id, owner }) {
  const shown = data.slice(0, mostMails);
  const isMore = hasMore || data.length > mostMails;
  return html`<section class="mails-of" aria-label="Mail of the customer">
    <h2>Mail</h2>
    ${
      shown.length === 0
        ? html`<p class="soft">None that belongs to this customer. <a href=${withQuery('/emails', { text: owner.email })}>Search for the owner’s address</a></p>`
        : html`<table class="rows"><thead><tr><th class="state">Status</th><th class="main">Subject</th><th class="when">Finished</th></tr></thead>
            <tbody>${shown.map(
              (each) => html`<tr key=${each.id}>
                <td><${Status} status=${each.status} paused=${each.paused && each.status === 'pending'} /></td>
                <td class="main"><a class="subject" href=${mailPath(each)}>${each.subject}</a>
                  ${each.reason && each.status !== 'sent' && html`<span class="why">${causeWords(each.reason, causes).title}</span>`}</td>
                <td class="when">${each.finished_at ? html`<${Time} time=${each.finished_at} />` : html`<${Time} time=${each.due_at} relative />`}</td>
              </tr>`,
            )}</tbody></table>
          <p><a href=${withQuery('/emails', { customer: id })}>${isMore ? 'All its emails' : 'In the list of emails'}</a>, or
            ${' '}<a href=${withQuery('/emails', { text: owner.email })}>all to ${owner.email}</a></p>`
    }
  </section>`;
}
