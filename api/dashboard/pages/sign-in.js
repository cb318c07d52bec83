// Signing in: with a name, or without one as whoever knows ADMIN_PASSWORD.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { Fault } from './parts.js';

export function SignIn({ onSignedIn }) {
  const [error, setError] = useState();
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { username, password } = event.target.elements;
      const body = { name: username.value.trim(), password: password.value };
      await ask('/dashboard/sign-in', { method: 'POST', body });
      localStorage.setItem('postern-name', body.name || 'admin');
      await onSignedIn();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return html`<main class="sign-in">
    <form onSubmit=${submit}>
      <svg viewBox="0 0 32 32" width="52" height="52" aria-hidden="true">
        <path fill="currentColor" d="M3 31V15a13 13 0 0 1 26 0v16z" />
        <path class="door" d="M9 31V15a7 7 0 0 1 14 0v16z" />
        <path fill="none" stroke="currentColor" stroke-width="2.2" stroke-linejoin="round"
          d="M11.3 17h9.4v7h-9.4z M11.6 17.4l4.4 3.7 4.4-3.7" />
      </svg>
      <h1>Postern</h1>
      <label class="field"><span>Name</span>
        <input type="text" name="username" defaultValue=${localStorage.getItem('postern-name') ?? 'admin'} autocomplete="username" spellcheck="false" autocapitalize="none" /></label>
      <label class="field"><span>Password</span>
        <input type="password" name="password" autocomplete="current-password" required autofocus />
        <small>For admin: the value of <code>ADMIN_PASSWORD</code> of the api.</small>
      </label>
      <${Fault} error=${error} />
      <button class="primary" disabled=${busy}>${busy ? 'Signing in …' : 'Sign in'}</button>
      ${
        document.querySelector('meta[name=oidc]') &&
        html`<p><a class="button" data-document href=${withQuery('/oidc/start', { to: location.pathname + location.search })}>Sign in with your organisation</a></p>`
      }
    </form>
  </main>`;
}
