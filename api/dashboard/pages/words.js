// The words of the dashboard: statuses, times and numbers as people say them.

/** tone: what it looks like; means: one sentence for whoever meets the word for the first time. */
export const statusWords = {
  pending: { tone: 'waiting', means: 'Not due yet, or waiting for the hand-over to the relay.' },
  queued: { tone: 'waiting', means: 'In the queue of the relay; sent over the next free connection.' },
  sending: { tone: 'moving', means: 'Being sent to the provider now.' },
  deferred: { tone: 'care', means: 'The attempt failed for now and will be repeated.' },
  held: { tone: 'stopped', means: 'Waits for a change of the configuration or for a person.' },
  uncertain: {
    tone: 'care',
    means: 'All data was sent, but no final reply came. It may have arrived.',
  },
  sent: { tone: 'good', means: 'The provider accepted it. Postern does not know whether it was delivered.' },
  bounced: { tone: 'bad', means: 'The provider refused it permanently.' },
  expired: { tone: 'bad', means: 'It was not sent in time.' },
  cancelled: { tone: 'quiet', means: 'Cancelled before anything was sent.' },
  captured: { tone: 'quiet', means: 'Not sent, because of DELIVERY_MODE.' },
  suppressed: { tone: 'bad', means: 'Not sent, because the address is on the suppression list.' },
};

export const waitingStatuses = ['pending', 'queued', 'sending', 'deferred', 'held', 'uncertain'];
export const finalStatuses = ['sent', 'bounced', 'suppressed', 'expired', 'cancelled', 'captured'];

/** What a cause means: the words that came with the answer. One that nobody has words for is at least named. */
export function causeWords(slug, causes) {
  return slug ? (causes[slug] ?? { title: slug, meaning: '', fix: '' }) : undefined;
}

export const sentence = (slug) => {
  const words = String(slug).replaceAll(/[-_]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

const number = new Intl.NumberFormat();
export const count = (value) => number.format(value ?? 0);
export const upTo = (value, limit) => (value >= limit ? `${count(limit)}+` : count(value));
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayAndClock = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

/** `10:02:07` today, `3 Mar, 10:02` otherwise. */
export function at(time) {
  if (!time) return '';
  const date = new Date(time);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : dayAndClock.format(date);
}
export const inFull = (time) => (time ? full.format(new Date(time)) : '');
const zoned = new Intl.DateTimeFormat(undefined, {
  ...{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
});
/** `Mon, 3 Mar 2026, 10:02:07 CET`. */
export const withZone = (time) => zoned.format(new Date(time));
export const utc = (time) => `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** A time in somebody's zone, such as `Mon 3 Mar, 09:00`. */
export function inZone(time, timeZone) {
  const options = { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
  try {
    return new Intl.DateTimeFormat(undefined, { ...options, ...(timeZone && { timeZone }) }).format(
      new Date(time),
    );
  } catch {
    return new Intl.DateTimeFormat(undefined, { ...options, timeZone: 'UTC' }).format(new Date(time));
  }
}

const spans = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
];

/** `3 min`, `2 h 5 min`, `240 ms`. */
export function span(ms) {
  if (ms === null || ms === undefined) return '';
  const positive = Math.abs(ms);
  if (positive < 1_000) return `${Math.round(positive)} ms`;
  if (positive < 10_000) return `${(positive / 1_000).toFixed(1)} s`;
  const index = spans.findIndex(([size]) => positive >= size);
  const [size, unit] = spans[index];
  const whole = Math.floor(positive / size);
  const [nextSize, nextUnit] = spans[index + 1] ?? [];
  const rest = nextSize && whole < 10 ? Math.floor((positive % size) / nextSize) : 0;
  return rest > 0 ? `${whole} ${unit} ${rest} ${nextUnit}` : `${whole} ${unit}`;
}

/** `3 min ago`, `in 2 h`, `now`. */
export function ago(time, now = Date.now()) {
  if (!time) return '';
  const ms = now - new Date(time).getTime();
  if (Math.abs(ms) < 1_500) return 'now';
  const words = span(Math.round(ms / 1_000) * 1_000).replace('.0 ', ' ');
  // What is coming is told more exactly than what is over.
  return ms > 0 ? `${words.split(' ').slice(0, 2).join(' ')} ago` : `in ${words}`;
}

/** When a recipient's turn is; one that is due and waits for the way to open has no time to name. */
export function nextAttempt({ next_attempt_at: at, attempts }) {
  const turn = new Date(at) > Date.now() ? `next attempt ${ago(at)}` : 'next attempt: now';
  return `${turn}, ${plural(attempts, 'attempt')} so far`;
}

export function bytes(size) {
  if (size < 1_000) return `${size} B`;
  if (size < 1_000_000) return `${(size / 1_000).toFixed(1)} kB`;
  return `${(size / 1_000_000).toFixed(1)} MB`;
}

/** The page of a mail, whichever way it came. */
export const mailPath = ({ id, source }) => `/${source === 'smtp' ? 'submitted' : 'emails'}/${id}`;

export const mailbox = ({ address, name }) => (name ? `${name} <${address}>` : address);
