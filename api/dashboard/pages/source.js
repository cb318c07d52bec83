// The source of an email, as it goes over the wire: searched, and its header decoded.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { html } from './html.js';
import { Copy, Fault } from './parts.js';
import { bytes, count } from './words.js';

// What a browser shows without stopping; the rest is in the file.
const mostShown = 1_000_000;

/** The beginning of the source; it may be 25 MB. */
async function readSource(path) {
  const response = await fetch(`${path}/source`);
  if (!response.ok) throw new Error('The source of this email is no longer stored.');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let isWhole = false;
  while (text.length < mostShown && !isWhole) {
    const { done, value = '' } = await reader.read();
    isWhole = done;
    text += value;
  }
  if (!isWhole) void reader.cancel();
  return { text: text.slice(0, mostShown), isWhole };
}

function useSource(path) {
  const [state, setState] = useState({});
  useEffect(() => {
    readSource(path).then(setState, (error) => setState({ error }));
  }, [path]);
  return state;
}

export function Source({ path }) {
  const { text, isWhole, error } = useSource(path);
  const [wanted, setWanted] = useState('');
  const parts = useMemo(() => (text === undefined ? [] : split(text, wanted)), [text, wanted]);
  if (error) return html`<${Fault} error=${error} />`;
  if (text === undefined) return html`<p class="soft" role="status">Loading …</p>`;
  const hits = (parts.length - 1) / 2;
  return html`
    <div class="bar tools">
      <input type="search" placeholder="Find in the source" aria-label="Find in the source" onInput=${(event) => setWanted(event.target.value)} />
      <span class="soft" role="status">${wanted ? `${count(hits)} found` : ''}</span>
      <a class="button small" href=${`${path}/source`} download="email.eml">Download</a>
    </div>
    ${!isWhole && html`<p class="note">The first ${bytes(mostShown)}. The file has all of it.</p>`}
    <pre class="source" tabindex="0">${parts.map((part, index) => (index % 2 ? html`<mark>${part}</mark>` : part))}</pre>`;
}

const mostMarked = 2_000;

/** What lies between the hits, and the hits, in turn. */
function split(text, wanted) {
  if (wanted.length < 2) return [text];
  const parts = [];
  const lower = text.toLowerCase();
  const word = wanted.toLowerCase();
  let at = 0;
  for (
    let hit = lower.indexOf(word);
    hit >= 0 && parts.length < 2 * mostMarked;
    hit = lower.indexOf(word, at)
  ) {
    parts.push(text.slice(at, hit), text.slice(hit, hit + word.length));
    at = hit + word.length;
  }
  return [...parts, text.slice(at)];
}

export function Headers({ path }) {
  const { text, error } = useSource(path);
  if (error) return html`<${Fault} error=${error} />`;
  if (text === undefined) return html`<p class="soft" role="status">Loading …</p>`;
  const [head] = text.split(/\r?\n\r?\n/, 1);
  const fields = head.replaceAll(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  return html`<p class="tools"><${Copy} text=${head} label="Copy as they stand" /></p>
    <dl class="header-fields">${fields.map((field, index) => {
      const colon = field.indexOf(':');
      return html`<dt key=${`name${index}`}>${field.slice(0, colon)}</dt><dd key=${index}>${decoded(field.slice(colon + 1).trim())}</dd>`;
    })}</dl>`;
}

/** Encoded words (RFC 2047) as people read them. */
function decoded(text) {
  return text
    .replaceAll(/(\?=)\s+(?==\?[\w*-]+\?[bq]\?)/gi, '$1')
    .replaceAll(/=\?([\w-]+)(?:\*[\w-]+)?\?([bq])\?([^?]*)\?=/gi, (whole, charset, encoding, word) => {
      try {
        const binary =
          encoding.toLowerCase() === 'b'
            ? atob(word)
            : word
                .replaceAll('_', ' ')
                .replaceAll(/=([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
        return new TextDecoder(charset).decode(Uint8Array.from(binary, (octet) => octet.charCodeAt(0)));
      } catch {
        return whole;
      }
    });
}
