// The small things all pages are made of.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { useChanges } from './live.js';
import { may, whyNot } from './me.js';
import { cameBack, cameFrom } from './route.js';
import { ago, at, inFull, statusWords, withZone } from './words.js';

export const Status = ({ status, paused = false }) => html`
  <span class=${`status ${paused ? 'quiet' : (statusWords[status]?.tone ?? 'quiet')}`}
    title=${paused ? 'Put on hold by a person.' : statusWords[status]?.means}>
    ${paused ? 'on hold' : status}
  </span>`;

export const Time = ({ time, relative = false }) =>
  time
    ? html`<time datetime=${new Date(time).toISOString()} title=${inFull(time)}>${relative ? ago(time) : at(time)}</time>`
    : html`<span class="soft">–</span>`;

/** A time for whoever has to name it to somebody: with its zone, how long ago, and to copy. */
export const Moment = ({
  time,
}) => html`<time datetime=${new Date(time).toISOString()}>${withZone(time)}</time>
  ${' '}<span class="soft">${ago(time)}</span> <${Copy} text=${new Date(time).toISOString()} label="Copy" what="the time" />`;

/** What the tab of the browser is called. */
export function useTitle(title) {
  useEffect(() => {
    if (title) document.title = `${title} · Postern`;
  }, [title]);
}

/** Sentences with their `code` and their NAMES_OF_VARIABLES set apart. */
export const Prose = ({ text }) =>
  (text ?? '')
    .split(/`([^`]+)`|\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_?)\b/)
    .map((part, index) => (part === undefined ? null : index % 3 === 0 ? part : html`<code>${part}</code>`));

/** What went wrong, said where it happened. */
export const Fault = ({ error }) =>
  error
    ? html`<div class="fault" role="alert">
        <strong>${error.message}</strong>
        ${error.body?.fix && html`<p>${error.body.fix}</p>`}
        ${(error.body?.errors ?? [])
          .filter(({ detail }) => !error.message.includes(detail))
          .map(
            ({ pointer, detail }) => html`<div><code>${pointer?.replace('#/', '')}</code> ${detail}</div>`,
          )}
      </div>`
    : null;

/** Back to the list as it was left, where one came from it. */
export const Crumbs = ({ to = '/emails', name = 'Emails' }) =>
  html`<nav class="crumbs" aria-label="Where this is"><a href=${to} onClick=${(event) => {
    if (!cameFrom(to)) return;
    event.preventDefault();
    history.back();
  }}>${name}</a></nav>`;

export const Empty = ({ title, children }) =>
  html`<div class="empty"><p><strong>${title}</strong></p>${children}</div>`;

/**
 * What `load` resolves with, loaded again whenever something happened (`about`: to that one thing).
 * While it loads again, the old one stays.
 */
export function useLoaded(load, dependencies, { about, live = true, keep } = {}) {
  const [state, setState] = useState(() =>
    cameBack() && kept.has(keep) ? { value: kept.get(keep), loading: true } : { loading: true },
  );
  const turn = useRef(0);
  const look = useCallback(async () => {
    turn.current += 1;
    const mine = turn.current;
    try {
      const value = await load();
      if (mine !== turn.current) return;
      setState({ value, loading: false });
      if (keep) remember(keep, value);
    } catch (error) {
      if (mine === turn.current) setState((before) => ({ ...before, error, loading: false }));
    }
  }, dependencies);
  useEffect(() => {
    setState((before) => ({ ...before, loading: true }));
    void look();
    return () => {
      turn.current += 1;
    };
  }, [look]);
  useChanges(live ? look : nothing, about);
  return { ...state, look };
}

const nothing = () => {};

/** What lists showed, for whoever comes back to one: a few, because each may hold fifty rows. */
const kept = new Map();
const mostKept = 10;

function remember(name, value) {
  kept.delete(name);
  kept.set(name, value);
  if (kept.size > mostKept) kept.delete(kept.keys().next().value);
}

/** A button that waits for what it does, and a place for what went wrong; only for whoever may. */
export function Action({
  does,
  children,
  kind = '',
  confirm,
  onError,
  disabled = false,
  title,
  needs = 'operate',
}) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (confirm && !(await askPerson(confirm))) return;
    setBusy(true);
    try {
      await does();
      onError?.(undefined);
    } catch (error) {
      if (onError) onError(error);
      else await askPerson({ title: 'The action failed', text: error.message, yes: 'Close', no: null });
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${kind} onClick=${press} disabled=${busy || disabled || !may(needs)} title=${whyNot(needs) ?? title}
    aria-busy=${busy}>${children}</button>`;
}

let openQuestion;

/** Asks in a dialog; resolves with whether the answer was yes. */
const askPerson = (question) => new Promise((answer) => openQuestion?.({ ...question, answer }));

/** Where questions are shown; once, in the shell. */
export function Questions() {
  const [question, setQuestion] = useState();
  const dialog = useRef();
  openQuestion = setQuestion;
  useEffect(() => {
    if (question) dialog.current?.showModal();
  }, [question]);
  if (!question) return null;
  const close = (yes) => {
    setQuestion(undefined);
    question.answer(yes);
  };
  return html`<${Dialog} title=${question.title} onClose=${() => close(false)}>
    <p>${question.text}</p>
    <footer>
      ${question.no !== null && html`<button type="button" onClick=${() => close(false)}>${question.no ?? 'Back'}</button>`}
      <button type="button" class=${question.danger ? 'danger' : 'primary'} onClick=${() => close(true)}>${question.yes}</button>
    </footer>
  </${Dialog}>`;
}

/** A modal dialog; the browser keeps the focus in it and gives it back. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  useEffect(() => {
    dialog.current?.showModal();
    return () => dialog.current?.close();
  }, []);
  return html`<dialog ref=${dialog} aria-label=${title} onCancel=${(event) => {
    event.preventDefault();
    onClose();
  }}>
    <h2>${title}</h2>
    ${children}
  </dialog>`;
}

export const Field = ({ label, hint, children }) =>
  html`<label class="field"><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;

export function Copy({ text, label = 'Copy', what }) {
  const [said, setSaid] = useState();
  const press = async ({ currentTarget }) => {
    setSaid(
      await copy(text, currentTarget).then(
        () => 'Copied',
        () => 'Not copied: select the text and copy it by keyboard',
      ),
    );
    setTimeout(() => setSaid(undefined), 1_500);
  };
  return html`<button type="button" class="small" onClick=${press} aria-label=${what && !said ? `${label} ${what}` : undefined}>${said ?? label}</button>`;
}

/** Browsers give the clipboard only to pages over HTTPS or on localhost; elsewhere a selection beside the button is copied. */
async function copy(text, button) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement('textarea');
  field.value = text;
  field.readOnly = true;
  button.after(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  button.focus();
  if (!done) throw new Error('the browser does not copy');
}
