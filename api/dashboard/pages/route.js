// Where we are is in the address bar and nowhere else, so that every view can be sent to somebody.
import { useLayoutEffect, useState } from 'preact/hooks';

const listeners = new Set();
const tell = () => {
  for (const listener of listeners) listener();
};

let isBack = false;
let previous;
addEventListener('popstate', () => {
  isBack = true;
  previous = undefined;
  tell();
});

/** Whether the page before in the browser's history is this one. */
export const cameFrom = (path) => previous === path;

/** Whether the page that is shown was returned to: then it looks as it was left. */
export const cameBack = () => isBack;

export function go(path, { replace = false } = {}) {
  if (path === location.pathname + location.search) return;
  isBack = false;
  if (!replace) previous = location.pathname;
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  if (!replace) scrollTo(0, 0);
  tell();
}

// Links of ours are followed without loading the document again; with a modifier key they are the browser's.
addEventListener('click', (event) => {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const link = event.target.closest?.('a[href]');
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute('download')) return;
  if (link.dataset.document !== undefined) return;
  event.preventDefault();
  go(link.pathname + link.search);
});

export function useRoute() {
  const [, render] = useState(0);
  // Not in a later frame: what can be seen can be pressed.
  useLayoutEffect(() => {
    const listener = () => render((count) => count + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return { path: location.pathname, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

/** The same page with other words in its query. */
export function goWith(changes, { replace = changes.text !== undefined } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString().replaceAll('%2C', ',');
  go(location.pathname + (text ? `?${text}` : ''), { replace });
}
