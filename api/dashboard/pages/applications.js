// Applications: from somebody who asks to a customer who is invited, with a way out of every refusal.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { Invitation } from './invitation.js';
import { Action, Dialog, Empty, Fault, Field, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';
import { sentence } from './words.js';

const statuses = ['submitted', 'approved', 'rejected', 'archived'];
const tones = { submitted: 'waiting', approved: 'good', rejected: 'bad', archived: 'quiet' };
const base = '/api/admin/onboarding/applications';

const State = ({ status }) => html`<span class=${`status ${tones[status]}`}>${status}</span>`;

export function Applications({ query: { status = 'submitted', after, id } }) {
  const shown = status === 'all' ? undefined : status;
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery(base, { status: shown, after, limit: 50 })),
    [shown, after],
  );
  const applications = value?.data ?? [];
  return html`
    <header class="title"><h1>Applications</h1></header>
    <div class="chips" role="group" aria-label="Which">
      ${[...statuses, 'all'].map(
        (
          each,
        ) => html`<button type="button" key=${each} class=${`chip ${tones[each] ?? 'quiet'}`} aria-pressed=${each === status}
          onClick=${() => goWith({ status: each, after: undefined, id: undefined })}>${each}</button>`,
      )}
    </div>
    <${Fault} error=${error} />
    ${
      applications.length === 0 && !loading
        ? html`<${Empty} title=${status === 'submitted' ? 'No applications are waiting.' : 'None.'}>
            <p>Applications arrive through <code>POST /api/onboarding/applications</code>.</p></${Empty}>`
        : html`<table class="rows">
            <thead><tr><th class="state">Status</th><th>Company</th><th>Contact</th><th class="when">Since</th></tr></thead>
            <tbody>${applications.map(
              (each) => html`<tr key=${each.id}>
                <td><${State} status=${each.status} /></td>
                <td class="main"><a class="subject" href=${withQuery('/applications', { status, after, id: each.id })}>${each.company}</a></td>
                <td class="to">${each.contact_name} <span class="soft">${each.email}</span></td>
                <td class="when"><${Time} time=${each.created_at} /></td>
              </tr>`,
            )}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${id && html`<${Application} id=${id} key=${id} onClose=${() => goWith({ id: undefined })} onChange=${look} />`}`;
}

function Application({ id, onClose, onChange }) {
  const { value: application, error, look } = useLoaded(() => ask(`${base}/${id}`), [id]);
  const [fault, setFault] = useState();
  const [made, setMade] = useState();
  const [rejecting, setRejecting] = useState(false);
  const [invite, setInvite] = useState(true);
  if (!application)
    return html`<${Dialog} title="Application" onClose=${onClose}><${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Close</button></footer></${Dialog}>`;

  const { status, customer_id: customerId } = application;
  const after = async (answer) => {
    setFault(undefined);
    setRejecting(false);
    if (answer?.customer) setMade(answer);
    await onChange();
    await look();
  };
  const does = (verb, body) => async () =>
    after(await ask(`${base}/${id}/${verb}`, { method: 'POST', body }));
  const remove = async () => {
    await ask(`${base}/${id}`, { method: 'DELETE' });
    onClose();
    await onChange();
  };
  const line = (label, text) => text && html`<dt>${label}</dt><dd>${text}</dd>`;

  return html`<${Dialog} title=${application.company} onClose=${onClose}>
    <dl class="envelope">
      <dt>Status</dt><dd><${State} status=${status} /> ${application.decided_at && html`<span class="soft"><${Time} time=${application.decided_at} /></span>`}</dd>
      <dt>Contact</dt><dd>${application.contact_name} <span class="soft">${application.email}</span></dd>
      ${line('Phone', application.phone)}${line('Website', application.website)}${line('Message', application.message)}
      ${line('Reason', application.reason)}${line('Note', application.note)}
      ${customerId && html`<dt>Customer</dt><dd><a href=${`/customers/${customerId}`}>${made?.customer.name ?? 'its customer'}</a></dd>`}
      ${made?.invitation && html`<dt>Invitation</dt><dd><${Invitation} invitation=${made.invitation} /></dd>`}
    </dl>
    ${
      fault &&
      html`<${WaysOut} problem=${fault} invite=${invite} onDone=${after} onGone=${async () => {
        onClose();
        await onChange();
      }} />`
    }
    ${rejecting && html`<${Reject} id=${id} onDone=${after} onBack=${() => setRejecting(false)} />`}
    ${
      !rejecting &&
      html`
        ${
          ['submitted', 'rejected'].includes(status) &&
          html`<label class="check"><input type="checkbox" checked=${invite} onChange=${(event) => setInvite(event.target.checked)} />
            Send the invitation when approving</label>`
        }
        <footer>
          <button type="button" onClick=${onClose}>Close</button>
          <${Action} kind="danger" does=${remove} onError=${setFault}
            confirm=${{ title: `Delete the application of ${application.company}?`, text: 'This cannot be undone. Archive it instead to remove it from this list only.', yes: 'Delete', danger: true }}>Delete</${Action}>
          ${status !== 'archived' && html`<${Action} does=${does('archive')} onError=${setFault}>Archive</${Action}>`}
          ${status === 'submitted' && html`<button type="button" onClick=${() => setRejecting(true)}>Reject</button>`}
          ${['submitted', 'rejected'].includes(status) && html`<${Action} kind="primary" does=${does('approve', { sendInvitation: invite })} onError=${setFault}>Approve</${Action}>`}
        </footer>`
    }
  </${Dialog}>`;
}

function Reject({ id, onDone, onBack }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const { reason, mail } = event.target;
    try {
      await onDone(
        await ask(`${base}/${id}/reject`, {
          method: 'POST',
          body: { sendMail: mail.checked, ...(reason.value.trim() && { reason: reason.value.trim() }) },
        }),
      );
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<form onSubmit=${submit}>
    <${Field} label="Reason" hint="Stored with the application, and included in the email."><input name="reason" maxlength="1000" /></${Field}>
    <label class="check"><input type="checkbox" name="mail" defaultChecked /> Tell the applicant by email</label>
    <${Fault} error=${error} />
    <footer><button type="button" onClick=${onBack}>Back</button><button class="danger">Reject</button></footer>
  </form>`;
}

/** The refusal names the requests that lead on; each is a button here. */
function WaysOut({ problem, invite, onDone, onGone }) {
  const [error, setError] = useState();
  const ways = (problem.body?.ways_out ?? []).filter(({ method }) => method !== 'PATCH');
  const take =
    ({ method, href }) =>
    async () => {
      const isApproval = href.endsWith('/approve');
      const body = isApproval ? { use_existing_customer: true, sendInvitation: invite } : undefined;
      const answer = await ask(href, { method, ...(method === 'POST' && { body }) });
      if (method === 'DELETE' && href.includes('/applications/')) await onGone();
      else await onDone(answer);
    };
  return html`<div class="fault" role="alert">
    <strong>${problem.message}</strong>
    ${ways.map(
      (
        way,
      ) => html`<p key=${way.method + way.href}><${Action} kind="small" does=${take(way)} onError=${setError}
        confirm=${way.method === 'DELETE' ? { title: 'Really?', text: way.description, yes: 'Delete', danger: true } : undefined}>${nameOf(way)}</${Action}>
        <span class="soft"> ${way.description.replace(/ with \{.*?\}/, '')}</span></p>`,
    )}
    <${Fault} error=${error} />
  </div>`;
}

function nameOf({ method, href }) {
  if (href.includes('with_customer=true')) return 'Delete both';
  if (method === 'DELETE') return 'Delete the account';
  if (href.endsWith('/approve')) return 'Link to that customer';
  return sentence(href.split('/').at(-1));
}
