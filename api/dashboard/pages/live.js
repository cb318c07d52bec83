// What the api tells by itself. The browser connects again when the connection breaks; where it gives up, we do not.
import { useEffect, useState } from 'preact/hooks';
import { ask } from './ask.js';

const listeners = new Set();
// `lostAt`: since when what is shown is old, because the api or the database is away.
const state = { overview: undefined, connected: false, isDatabaseAway: false, lostAt: undefined };
let source;
let again;
let wait = 1_000;
// A proxy may keep a connection open that nothing comes through any more.
const silentAfterMs = 40_000;
let heardAt = 0;

function tell(ids) {
  for (const listener of listeners) listener(ids);
}

function heard() {
  heardAt = Date.now();
}

export function connect() {
  disconnect();
  source = new EventSource('/dashboard/stream');
  source.onopen = () => {
    heard();
    wait = 1_000;
    state.connected = true;
    if (!state.isDatabaseAway) state.lostAt = undefined;
    // Whatever happened while nobody listened: every page looks again.
    tell('all');
  };
  source.addEventListener('overview', (event) => {
    heard();
    state.overview = JSON.parse(event.data);
    state.isDatabaseAway = false;
    state.lostAt = undefined;
    tell([]);
  });
  source.addEventListener('changed', (event) => {
    heard();
    tell(JSON.parse(event.data).ids);
  });
  source.addEventListener('database-away', () => {
    heard();
    state.isDatabaseAway = true;
    state.lostAt ??= Date.now();
    tell([]);
  });
  source.onerror = () => {
    state.connected = false;
    state.lostAt ??= Date.now();
    tell([]);
    if (source?.readyState === EventSource.CLOSED) retry();
  };
}

function retry() {
  clearTimeout(again);
  again = setTimeout(async () => {
    wait = Math.min(wait * 2, 15_000);
    // Tells a session that is over from an api that is away; the first leads to the sign-in.
    await ask('/dashboard/overview').catch(() => {});
    if (source) connect();
  }, wait);
}

export function disconnect() {
  clearTimeout(again);
  source?.close();
  source = undefined;
  state.connected = false;
}

// A computer that lost its network tells sooner than the connection, which may stand for minutes.
addEventListener('offline', () => {
  if (source) connect();
});

setInterval(() => {
  if (source && state.connected && Date.now() - heardAt > silentAfterMs) connect();
}, 5_000);

/** Renders again with every overview. */
export function useOverview() {
  const [, render] = useState(0);
  useEffect(() => {
    const listener = () => render((count) => count + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return state;
}

/**
 * Calls `look` soon after something happened to one of these (`undefined`: to anything), at most once a second.
 */
export function useChanges(look, about) {
  useEffect(() => {
    let timer;
    let lookedAt = 0;
    const listener = (ids) => {
      const concerns = ids === 'all' || (about === undefined ? ids.length > 0 : ids.includes(about));
      if (!concerns || timer) return;
      timer = setTimeout(
        () => {
          timer = undefined;
          lookedAt = Date.now();
          look();
        },
        Math.max(80, 1_000 - (Date.now() - lookedAt)),
      );
    };
    listeners.add(listener);
    return () => {
      clearTimeout(timer);
      listeners.delete(listener);
    };
  }, [look, about]);
}
