// The shell: who is signed in, where we are, and what is always in sight.
import { render } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { Applications } from './applications.js';
import { ask, whenSignedOut, withQuery } from './ask.js';

import { Audit } from './audit.js';

import { ClientPage } from './client.js';

import { CustomerPage } from './customer.js';
import { Customers } from './customers.js';
import { Diagnosis } from './diagnosis.js';
import { EmailPage } from './email.js';
import { Emails } from './emails.js';
import { html } from './html.js';
import { Keys } from './keys.js';
import { connect, disconnect, useOverview } from './live.js';
import { may, setMe, whoIsHere, whyNot } from './me.js';
import { Overview } from './overview.js';
import { Dialog, Empty, Questions } from './parts.js';
import { OwnPassword, People } from './people.js';
import { Refusals } from './refusals.js';
import { go, useRoute } from './route.js';
import { Scheduled } from './scheduled.js';
import { SignIn } from './sign-in.js';
import { SubmittedPage } from './submitted.js';
import { Suppressions } from './suppressions.js';
import { verdictOf } from './verdict.js';
import { WebhookPage, Webhooks } from './webhooks.js';

const sections = [
  { path: '/', name: 'Overview', page: Overview },
  { path: '/emails', name: 'Emails', page: Emails, one: EmailPage },
  { path: '/scheduled', name: 'Scheduled', page: Scheduled, one: ClientPage },
  { path: '/customers', name: 'Customers', page: Customers, one: CustomerPage },
  { path: '/applications', name: 'Applications', page: Applications, needs: 'operate' },
  { path: '/suppressions', name: 'Suppressions', page: Suppressions },
  { path: '/refusals', name: 'SMTP refusals', page: Refusals },
  { path: '/webhooks', name: 'Webhooks', page: Webhooks, one: WebhookPage, needs: 'admin' },
  { path: '/diagnosis', name: 'Diagnosis', page: Diagnosis },
  { path: '/keys', name: 'Keys', page: Keys, needs: 'admin' },
  { path: '/people', name: 'People', page: People, needs: 'admin' },
  { path: '/audit', name: 'Audit', page: Audit, needs: 'admin' },
];

// The page of one mail that came over SMTP; the list of them is a part of Emails.
const submitted = {
  path: '/submitted',
  name: 'Email',
  page: ToEmails,
  one: SubmittedPage,
  within: '/emails',
};

function ToEmails({ query: { key } }) {
  useEffect(() => go(withQuery('/emails', { source: 'smtp', key }), { replace: true }), []);
  return null;
}

// The document says who it is, unless the database was away.
const told = JSON.parse(document.querySelector('meta[name=person]')?.content ?? '""');
if (told) setMe(told);

function App() {
  const [signedIn, setSignedIn] = useState(told === '' ? undefined : told !== null);
  useEffect(() => {
    whenSignedOut(() => {
      disconnect();
      setSignedIn(false);
    });
    if (told === '') void askWho();
  }, []);
  const askWho = () =>
    ask('/dashboard/session').then(
      ({ signed_in: isSignedIn, person }) => {
        setMe(person);
        setSignedIn(isSignedIn);
      },
      // An api that is away is shown by the pages; only a session that is missing is asked for.
      () => setSignedIn(true),
    );
  useEffect(() => {
    if (signedIn) connect();
  }, [signedIn]);

  if (signedIn === undefined) return null;
  if (!signedIn) return html`<${SignIn} onSignedIn=${askWho} />`;
  return html`<${Shell} onSignOut=${() => setSignedIn(false)} />`;
}

function Shell({ onSignOut }) {
  const { path, query } = useRoute();
  const { overview, connected, isDatabaseAway, lostAt } = useOverview();
  const [, first = '', id] = path.split('/');
  const section = [...sections, submitted].find((each) => each.path === `/${first}`);
  const tone = overview || isDatabaseAway ? verdictOf(overview ?? {}, { isDatabaseAway }).tone : 'quiet';

  useEffect(() => {
    // The page of one thing says itself what it is about.
    if (!id)
      document.title = `${section?.name ?? 'Page not found'}${section?.path === '/' ? '' : ' · Postern'}`;
  }, [section, id]);
  const [isHelp, setHelp] = useState(false);
  const me = whoIsHere();
  const [isChanging, setChanging] = useState(me?.password_is_initial === true);
  useShortcuts(() => setHelp(true));

  const signOut = async () => {
    disconnect();
    await ask('/dashboard/sign-out', { method: 'POST' }).catch(() => {});
    onSignOut();
  };
  const page = !section
    ? html`<${Empty} title="Page not found."><a href="/">Overview</a></${Empty}>`
    : !may(section.needs)
      ? html`<${Empty} title="Not for your role."><p>${whyNot(section.needs)} An admin can change your role.</p></${Empty}>`
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
      <${Sections} section=${section} tone=${tone} path=${path} onPassword=${() => setChanging(true)} />
      <div class="foot">
        <p class=${`live ${connected ? 'on' : 'off'}`} role="status">${connected ? 'Live' : 'Connecting …'}</p>
        <a href="/docs" target="_blank" rel="noopener">Manual</a>
        <button type="button" class="plain help" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick=${() => setHelp(true)}>?</button>
        <${Theme} />
        <button type="button" class="plain" onClick=${signOut}>Sign out</button>
      </div>
    </header>
    <main id="main" tabindex="-1" class=${lostAt ? 'stale' : ''}>${lostAt && html`<${Lost} since=${lostAt} isDatabase=${isDatabaseAway && connected} />`}${page}</main>
    <${Questions} />
    ${isChanging && html`<${OwnPassword} onClose=${() => setChanging(false)} />`}
    ${isHelp && html`<${Keyboard} onClose=${() => setHelp(false)} />`}`;
}

const wallClock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** What is shown is from before. */
const Lost = ({ since, isDatabase }) =>
  html`<p class="lost" role="status"><b>${
    isDatabase ? 'PostgreSQL has not answered since' : 'No connection since'
  } ${wallClock.format(since)}.</b> What stands below is from before; it is right again as soon as this line is gone.</p>`;

/** The way to each section that the role may see, and who it is. */
function Sections({ section, tone, path, onPassword }) {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  const me = whoIsHere();
  return html`<nav aria-label="Sections" class=${isOpen ? 'open' : ''}>
        <button type="button" class="menu" aria-expanded=${isOpen} aria-controls="sections" onClick=${() => setOpen(!isOpen)}>
          ${section?.name ?? 'Sections'}<span class=${`dot ${tone}`} aria-hidden="true"></span></button>
        <div class="links" id="sections">${sections
          .filter(({ needs }) => may(needs))
          .map(
            (each) => html`<a href=${each.path} key=${each.path}
            aria-current=${[section?.path, section?.within].includes(each.path) ? 'page' : undefined}>
            ${each.name}
            ${each.path === '/' && html`<span class=${`dot ${tone}`} aria-hidden="true"></span>`}
          </a>`,
          )}${
          me &&
          html`<p class="who">${me.name === me.role ? me.name : `${me.name}, ${me.role}`}${
            me.has_password &&
            html` <button type="button" class="plain" onClick=${onPassword}>Change password</button>`
          }</p>`
        }</div>
      </nav>`;
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

const places = {
  o: '/',
  e: '/emails',
  s: '/scheduled',
  c: '/customers',
  a: '/applications',
  u: '/suppressions',
  r: '/refusals',
  w: '/webhooks',
  d: '/diagnosis',
  k: '/keys',
  p: '/people',
  t: '/audit',
};

const keys = [
  ['/', 'Search'],
  ['j, k or ↓, ↑', 'Next and previous email of the list'],
  ['Enter', 'Open the email'],
  ['x', 'Choose the email'],
  ['?', 'This page'],
  ...sections.map(({ path, name }) => [`g ${Object.keys(places).find((key) => places[key] === path)}`, name]),
];

const Keyboard = ({ onClose }) => html`<${Dialog} title="Keyboard shortcuts" onClose=${onClose}>
  <dl class="keys">${keys.map(([key, does]) => html`<dt key=${key}><kbd>${key}</kbd></dt><dd>${does}</dd>`)}</dl>
  <footer><button type="button" class="primary" onClick=${onClose}>Close</button></footer>
</${Dialog}>`;

/** `/` looks for mail; `g` and a letter goes somewhere; `?` tells all of them. */
function useShortcuts(help) {
  useLayoutEffect(() => {
    let armed = false;
    const press = (event) => {
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.target.closest?.('input, textarea, select, dialog')
      )
        return;
      if (armed && places[event.key]) go(places[event.key]);
      if (event.key === '?') help();
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
