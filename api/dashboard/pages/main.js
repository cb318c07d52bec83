// The shell: who is signed in, where we are, and what is always in sight.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Applications } from './applications.js';
import { ask, whenSignedOut } from './ask.js';
import { Customers } from './customers.js';
import { Diagnosis } from './diagnosis.js';
import { EmailPage } from './email.js';
import { Emails } from './emails.js';
import { html } from './html.js';
import { Keys } from './keys.js';
import { connect, disconnect, useOverview } from './live.js';
import { Overview } from './overview.js';
import { Empty, Questions } from './parts.js';
import { go, useRoute } from './route.js';
import { Scheduled } from './scheduled.js';
import { SignIn } from './sign-in.js';
import { Submitted, SubmittedPage } from './submitted.js';
import { Suppressions } from './suppressions.js';
import { verdictOf } from './verdict.js';
import { WebhookPage, Webhooks } from './webhooks.js';

const sections = [
  { path: '/', name: 'Overview', page: Overview },
  { path: '/emails', name: 'Emails', page: Emails, one: EmailPage },
  { path: '/submitted', name: 'Over SMTP', page: Submitted, one: SubmittedPage },
  { path: '/scheduled', name: 'Scheduled', page: Scheduled },
  { path: '/customers', name: 'Customers', page: Customers },
  { path: '/applications', name: 'Applications', page: Applications },
  { path: '/suppressions', name: 'Suppressions', page: Suppressions },
  { path: '/webhooks', name: 'Webhooks', page: Webhooks, one: WebhookPage },
  { path: '/diagnosis', name: 'Diagnosis', page: Diagnosis },
  { path: '/keys', name: 'Keys', page: Keys },
];

function App() {
  const [signedIn, setSignedIn] = useState();
  useEffect(() => {
    whenSignedOut(() => {
      disconnect();
      setSignedIn(false);
    });
    ask('/dashboard/session').then(
      ({ signed_in: isSignedIn }) => setSignedIn(isSignedIn),
      // An api that is away is shown by the pages; only a session that is missing is asked for.
      () => setSignedIn(true),
    );
  }, []);
  useEffect(() => {
    if (signedIn) connect();
  }, [signedIn]);

  if (signedIn === undefined) return null;
  if (!signedIn) return html`<${SignIn} onSignedIn=${() => setSignedIn(true)} />`;
  return html`<${Shell} onSignOut=${() => setSignedIn(false)} />`;
}

function Shell({ onSignOut }) {
  const { path, query } = useRoute();
  const { overview, connected, isDatabaseAway } = useOverview();
  const [, first = '', id] = path.split('/');
  const section = sections.find((each) => each.path === `/${first}`);
  const tone = overview || isDatabaseAway ? verdictOf(overview ?? {}, { isDatabaseAway }).tone : 'quiet';

  useEffect(() => {
    document.title = `${section?.name ?? 'Postern'}${section?.path === '/' ? '' : ' · Postern'}`;
  }, [section]);
  useShortcuts();

  const signOut = async () => {
    disconnect();
    await ask('/dashboard/sign-out', { method: 'POST' }).catch(() => {});
    onSignOut();
  };
  const page = !section
    ? html`<${Empty} title="Page not found."><a href="/">Overview</a></${Empty}>`
    : id
      ? html`<${section.one} id=${id} key=${id} />`
      : html`<${section.page} query=${query} key=${section.path} />`;

  return html`
    <a class="skip" href="#main" data-document>Skip to the content</a>
    <header class="side">
      <a class="brand" href="/" aria-label="Postern, overview">
        <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
          <path fill="currentColor" d="M3 31V15a13 13 0 0 1 26 0v16z" />
          <path class="door" d="M9 31V15a7 7 0 0 1 14 0v16z" />
          <path fill="none" stroke="currentColor" stroke-width="2.2" stroke-linejoin="round"
            d="M11.3 17h9.4v7h-9.4z M11.6 17.4l4.4 3.7 4.4-3.7" />
        </svg>
        <span>Postern</span>
      </a>
      <nav aria-label="Sections">
        ${sections.map(
          (each) => html`<a href=${each.path} key=${each.path}
            aria-current=${each === section ? 'page' : undefined}>
            ${each.name}
            ${each.path === '/' && html`<span class=${`dot ${tone}`} aria-hidden="true"></span>`}
          </a>`,
        )}
      </nav>
      <div class="foot">
        <p class=${`live ${connected ? 'on' : 'off'}`} role="status">${connected ? 'Live' : 'Connecting …'}</p>
        <a href="/docs" target="_blank" rel="noopener">Manual</a>
        <${Theme} />
        <button type="button" class="plain" onClick=${signOut}>Sign out</button>
      </div>
    </header>
    <main id="main" tabindex="-1">${page}</main>
    <${Questions} />`;
}

const themes = ['system', 'light', 'dark'];

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem('postern-theme') ?? 'system');
  useEffect(() => applyTheme(theme), [theme]);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length];
  return html`<button type="button" class="plain" onClick=${() => setTheme(next)}
    title=${`Colours: ${theme}. Click for ${next}.`}>${theme === 'system' ? 'Auto' : theme === 'dark' ? 'Dark' : 'Light'}</button>`;
}

function applyTheme(theme) {
  localStorage.setItem('postern-theme', theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event('theme'));
}

/** `/` looks for mail; `g` and a letter goes somewhere. */
function useShortcuts() {
  useEffect(() => {
    let armed = false;
    const press = (event) => {
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.target.closest?.('input, textarea, select, dialog')
      )
        return;
      const target = {
        o: '/',
        e: '/emails',
        s: '/scheduled',
        c: '/customers',
        a: '/applications',
        d: '/diagnosis',
        k: '/keys',
        u: '/suppressions',
        w: '/webhooks',
      };
      if (armed && target[event.key]) go(target[event.key]);
      armed = event.key === 'g';
      if (event.key === '/') {
        event.preventDefault();
        const search = document.querySelector('input[type=search]');
        if (search) search.focus();
        else go('/emails');
      }
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

const place = document.querySelector('#page');
// Until here it said that the page is still loading.
place.replaceChildren();
render(html`<${App} />`, place);
