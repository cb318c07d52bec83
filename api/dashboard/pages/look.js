// How an email looks: as HTML at several widths, as text, its links, what clients will not show, headers and source.
import { useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { checkHtml, linksOf } from './html-check.js';
import { may, whyNot } from './me.js';
import { Copy } from './parts.js';
import { Headers, Source } from './source.js';
import { ago, bytes, plural } from './words.js';

const views = [
  { name: 'HTML', shown: ({ email }) => email.html, page: Html },
  { name: 'Text', shown: ({ email }) => email.text !== null && email.text !== undefined, page: Text },
  { name: 'Links', shown: ({ email }) => email.html, page: Links },
  { name: 'Check', shown: ({ email }) => email.html, page: Check },
  { name: 'Headers', shown: () => true, page: Headers },
  { name: 'Source', shown: () => true, page: Source },
  { name: 'Files', shown: ({ attachments }) => attachments.length > 0, page: Attachments },
];

/** @param path where the api has its preview, source and attachments */
export function Look({ email, attachments, remote, path }) {
  const there = views.filter(({ shown }) => shown({ email, attachments }));
  const [view, setView] = useState(there[0].name);
  if (!may('operate'))
    return html`<p class="soft">What an email says is not shown to your role. ${whyNot('operate')}</p>`;
  const { page } = there.find(({ name }) => name === view) ?? there[0];
  const key = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const index = (there.findIndex(({ name }) => name === view) + step + there.length) % there.length;
    setView(there[index].name);
    event.currentTarget.children[index].focus();
  };
  return html`
    <div class="tabs" role="tablist" aria-label="View" onKeyDown=${key}>
      ${there.map(
        ({
          name,
        }) => html`<button type="button" role="tab" key=${name} id=${`tab-${name}`} aria-controls="look"
          aria-selected=${name === view} tabindex=${name === view ? 0 : -1} onClick=${() => setView(name)}>${name}${
            name === 'Files' ? ` (${attachments.length})` : ''
          }</button>`,
      )}
    </div>
    <div id="look" role="tabpanel" aria-labelledby=${`tab-${view}`} class="look">
      <${page} key=${view} email=${email} attachments=${attachments} remote=${remote} path=${path} />
      ${email.erased_at && html`<p class="soft">The body was erased ${ago(email.erased_at)}.</p>`}
    </div>`;
}

const widths = [
  ['desktop', 'Desktop'],
  ['tablet', 'Tablet'],
  ['phone', 'Phone'],
];

function Html({ remote, path }) {
  const [width, setWidth] = useState('desktop');
  const [isDark, setDark] = useState(false);
  const [isLoaded, setLoaded] = useState(false);
  const frame = useRef();
  const query = new URLSearchParams({ ...(isDark && { dark: '1' }), ...(isLoaded && { remote: '1' }) });
  return html`
    <div class="bar tools">
      <div class="choice" role="group" aria-label="Width">
        ${widths.map(([each, name]) => html`<button type="button" key=${each} aria-pressed=${each === width} onClick=${() => setWidth(each)}>${name}</button>`)}
      </div>
      <div class="choice" role="group" aria-label="Show it">
        <button type="button" aria-pressed=${isDark} onClick=${() => setDark(!isDark)}>Dark</button>
        <button type="button" onClick=${() => frame.current.requestFullscreen?.()}>Full screen</button>
      </div>
    </div>
    ${
      remote > 0 &&
      html`<p class="note">${
        isLoaded
          ? 'Remote images were loaded by your browser: the sender can see that.'
          : html`${plural(remote, 'remote resource')} not loaded, so the sender cannot see that you read it.
              ${' '}<button type="button" class="small" onClick=${() => setLoaded(true)}>Load remote images</button>`
      }</p>`
    }
    <div class=${`frame ${width} ${isDark ? 'dark' : ''}`} ref=${frame}>
      <iframe title="The email as HTML" sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer"
        src=${`${path}/preview?${query}`}></iframe>
    </div>`;
}

function Text({ email }) {
  return html`<p class="tools"><${Copy} text=${email.text} label="Copy the text" /></p>
  <pre class="text" tabindex="0">${email.text}</pre>`;
}

function Links({ email }) {
  const links = linksOf(email.html);
  if (links.length === 0) return html`<p class="soft">It has no links.</p>`;
  return html`<ul class="links">${links.map(
    ({ text, href, warning }, index) => html`<li key=${index}>
      <b>${text}</b>
      <div><code>${href}</code> <${Copy} text=${href} what="the address" /></div>
      ${warning && html`<div class="status care">${warning}</div>`}
    </li>`,
  )}</ul>`;
}

function Check({ email }) {
  const found = checkHtml(email.html);
  if (found.length === 0)
    return html`<p class="soft">Nothing was found that large mail clients do not show.</p>`;
  return html`<p class="soft">What some mail clients do not show as it was meant.</p>
    <ul class="links">${found.map(
      ({
        what,
        where,
        count,
      }) => html`<li key=${what}><span class="status care">${what}</span>${count > 1 ? html` <span class="soft">${count} times</span>` : ''}
        <div class="soft">${where}</div></li>`,
    )}</ul>`;
}

const isPicture = ({ content_type: type, size }) =>
  /^image\/(png|jpeg|gif|webp)$/i.test(type.split(';')[0].trim()) && size <= 5_000_000;

function Attachments({ attachments, path }) {
  return html`<ul class="facts-list attachments">${attachments.map(
    (file) => html`<li key=${file.ordinal}>
    ${isPicture(file) ? html`<img src=${`${path}/attachments/${file.ordinal}/picture`} alt="" loading="lazy" />` : html`<span class="sheet" aria-hidden="true">${endingOf(file.filename)}</span>`}
    <div><a href=${`${path}/attachments/${file.ordinal}`} download>${file.filename}</a>
      <div class="soft">${file.content_type}, ${bytes(file.size)}</div></div></li>`,
  )}</ul>`;
}

const endingOf = (name) => (/\.([a-z0-9]{1,5})$/i.exec(name)?.[1] ?? 'file').toLowerCase();
