// People: who may sign in to the dashboard, and what for.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { Action, Copy, Dialog, Empty, Fault, Field, Time, useLoaded } from './parts.js';
import { goWith } from './route.js';

const roles = [
  ['view', 'View', 'Lists, statuses and timelines; nothing that an email says.'],
  [
    'operate',
    'Operate',
    'Also bodies; retries, cancels, reschedules, sends again; customers and suppressions.',
  ],
  ['admin', 'Admin', 'Everything: also people, keys, webhooks, deletion and erasure.'],
];

export function People({ query: { after } }) {
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery('/api/v1/people', { after, limit: 50 })),
    [after],
    { live: false },
  );
  const [open, setOpen] = useState();
  const people = value?.data ?? [];
  const close = async () => {
    setOpen(undefined);
    await look();
  };
  return html`
    <header class="title"><h1>People</h1>
      <button type="button" class="primary" onClick=${() => setOpen({ dialog: NewPerson })}>New user</button></header>
    <p class="soft">Who knows <code>ADMIN_PASSWORD</code> is always an admin, and is not listed here. <a href="/docs/people" target="_blank">More about people</a></p>
    <${Fault} error=${error} />
    ${
      people.length === 0 && !loading
        ? html`<${Empty} title="No users yet."><p>Give each person a user, so that the audit list says who did what.</p></${Empty}>`
        : html`<table class="rows people">
            <thead><tr><th class="main">Name</th><th class="state">Role</th><th class="used">Last sign-in</th><th class="when">Created</th><th class="acts"><span class="unseen">Actions</span></th></tr></thead>
            <tbody>${people.map((person) => html`<${Row} key=${person.id} its=${person} open=${setOpen} look=${look} />`)}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${open && html`<${open.dialog} its=${open.person} onClose=${close} />`}`;
}

function Row({ its: person, open, look }) {
  const isDisabled = person.disabled_at !== null;
  const isOurs = person.sign_in === 'password';
  const opens = (dialog) => () => open({ dialog, person });
  const enable = async () => {
    await ask(`/api/v1/people/${person.id}`, { method: 'PATCH', body: { disabled: !isDisabled } });
    await look();
  };
  return html`<tr>
    <td class="main"><b>${person.name}</b>
      ${!isOurs && html`<div class="soft">signs in by OpenID Connect</div>`}
      ${isOurs && person.password_is_initial && html`<div class="soft">still has the initial password</div>`}</td>
    <td class="state">${isDisabled ? html`<span class="status quiet">disabled</span>` : person.role}</td>
    <td class="used soft">${person.last_sign_in_at ? html`<${Time} time=${person.last_sign_in_at} />` : html`<span class="soft">never</span>`}</td>
    <td class="when"><${Time} time=${person.created_at} /></td>
    <td class="acts">
      ${
        isOurs &&
        html`<button type="button" class="small" onClick=${opens(ChangeRole)}>Role</button>
        <button type="button" class="small" onClick=${opens(ResetPassword)}>New password</button>`
      }
      ${
        isDisabled
          ? html`<${Action} kind="small" does=${enable}>Enable</${Action}>`
          : html`<${Action} kind="small danger" does=${enable}
              confirm=${{ title: `Disable ${person.name}?`, text: 'Open sessions end at once. It can be undone.', yes: 'Disable', danger: true }}>Disable</${Action}>`
      }</td>
  </tr>`;
}

const Roles = ({ chosen }) =>
  html`<fieldset><legend>Role</legend>${roles.map(
    ([
      value,
      name,
      says,
    ]) => html`<label class="check" key=${value}><input type="radio" name="role" value=${value} defaultChecked=${value === chosen} />
      <span>${name} <span class="soft">${says}</span></span></label>`,
  )}</fieldset>`;

/** A form in a dialog that asks the api and shows what went wrong. */
function useForm(does) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    try {
      await does(event.target);
    } catch (problem) {
      setError(problem);
    }
  };
  return { error, submit };
}

function NewPerson({ onClose }) {
  const [made, setMade] = useState();
  const { error, submit } = useForm(async ({ elements: { name, role } }) => {
    const body = { name: name.value.trim(), role: role.value };
    setMade(await ask('/api/v1/people', { method: 'POST', body }));
  });
  if (made) return html`<${Password} of=${made} onClose=${onClose} />`;
  return html`<${Dialog} title="New user" onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Field} label="Name" hint="To sign in with: letters, digits and . _ -"><input name="name" required autofocus autocomplete="off" spellcheck="false" /></${Field}>
      <${Roles} chosen="operate" />
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Create the user</button></footer>
    </form>
  </${Dialog}>`;
}

function ChangeRole({ its: person, onClose }) {
  const { error, submit } = useForm(async ({ elements: { role } }) => {
    await ask(`/api/v1/people/${person.id}`, { method: 'PATCH', body: { role: role.value } });
    await onClose();
  });
  return html`<${Dialog} title=${`Role of ${person.name}`} onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Roles} chosen=${person.role} />
      <p class="soft">Open sessions end at once; the user signs in again.</p>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Save</button></footer>
    </form>
  </${Dialog}>`;
}

function ResetPassword({ its: person, onClose }) {
  const [made, setMade] = useState();
  const reset = async () =>
    setMade(await ask(`/api/v1/people/${person.id}/reset-password`, { method: 'POST' }));
  if (made) return html`<${Password} of=${made} onClose=${onClose} />`;
  return html`<${Dialog} title=${`A new password for ${person.name}?`} onClose=${onClose}>
    <p>The old password and open sessions end at once.</p>
    <footer><button type="button" onClick=${onClose}>Back</button>
      <${Action} kind="primary" does=${reset}>Make a new password</${Action}></footer>
  </${Dialog}>`;
}

const Password = ({
  of: { name, password },
  onClose,
}) => html`<${Dialog} title=${`Password of ${name}`} onClose=${onClose}>
  <p>Pass it on now. It is shown only once, and Postern stores only its hash.</p>
  <p class="secret">${password}</p>
  <footer><${Copy} text=${password} label="Copy the password" /><button type="button" class="primary" onClick=${onClose}>I have it</button></footer>
</${Dialog}>`;

/** One's own; whoever has an initial one is asked to. */
export function OwnPassword({ onClose }) {
  const [isDone, setDone] = useState(false);
  const { error, submit } = useForm(async ({ elements: { old, next } }) => {
    await ask('/dashboard/password', { method: 'POST', body: { old: old.value, new: next.value } });
    setDone(true);
  });
  if (isDone)
    return html`<${Dialog} title="Password changed" onClose=${onClose}>
      <p>Your other sessions have ended.</p>
      <footer><button type="button" class="primary" onClick=${onClose}>Close</button></footer>
    </${Dialog}>`;
  return html`<${Dialog} title="Change your password" onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Field} label="The password you have"><input type="password" name="old" required autofocus autocomplete="current-password" /></${Field}>
      <${Field} label="The new one" hint="At least 12 characters."><input type="password" name="next" required minlength="12" autocomplete="new-password" /></${Field}>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Change it</button></footer>
    </form>
  </${Dialog}>`;
}
