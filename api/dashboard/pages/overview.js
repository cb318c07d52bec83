// Overview: can mail leave, how much waits where, how fast it went, and who is running.
import { Attention } from './attention.js';
import { History } from './history.js';
import { html } from './html.js';
import { useOverview } from './live.js';
import { verdictOf } from './verdict.js';
import { Verdict } from './verdict-card.js';
import { ago, at, causeWords, count, plural, span, upTo } from './words.js';

export function Overview({ query }) {
  const { overview, isDatabaseAway } = useOverview();
  if (!overview && !isDatabaseAway)
    return html`<h1 class="unseen">Overview</h1><p class="soft" role="status">Loading …</p>`;
  return html`
    <${Verdict} verdict=${verdictOf(overview ?? {}, { isDatabaseAway })} />
    ${
      overview &&
      html`
        <${Way} overview=${overview} />
        <${Attention} />
        <${History} hours=${query.hours} />
        <div class="pair">
          <${Routes} overview=${overview} />
          <${Processes} overview=${overview} />
        </div>`
    }`;
}

const steps = [
  { status: 'pending', name: 'Pending', says: 'due later' },
  { status: 'queued', name: 'Queued', says: 'in the relay' },
  { status: 'sending', name: 'Sending', says: 'now' },
  { status: 'deferred', name: 'Deferred', says: 'will be tried again' },
];
const aside = [
  { status: 'held', name: 'Held', says: 'action needed' },
  { status: 'uncertain', name: 'Uncertain', says: 'no final reply' },
];
const ends = [
  { status: 'sent', name: 'Sent', says: 'in 24 hours' },
  { status: 'bounced', name: 'Bounced', says: 'in 24 hours' },
  { status: 'expired', name: 'Expired', says: 'in 24 hours' },
];

function Way({ overview }) {
  const { waiting, submitted, today, bouncedAfterSending, countedUpTo, nextDue, at } = overview;
  const tile = ({ status, name, says }, value, isEnd = false) => html`
    <a class=${`tile ${value > 0 ? `some ${status}` : ''}`} key=${status} href=${`/emails?statuses=${status}`}>
      <span class="name">${name}</span>
      <span class="number">${upTo(value ?? 0, isEnd ? Number.POSITIVE_INFINITY : countedUpTo)}</span>
      <span class="says">${
        status === 'pending' && nextDue
          ? `next ${ago(nextDue, new Date(at).getTime())}`
          : submitted[status]
            ? `and ${upTo(submitted[status], countedUpTo)} over SMTP`
            : says
      }</span>
    </a>`;
  return html`<section class="way" aria-label="Mail by status">
    <div class="flow">${steps.map((step) => tile(step, waiting[step.status]))}</div>
    <div class="flow aside">${aside.map((step) => tile(step, waiting[step.status]))}</div>
    <div class="flow ends">${ends.map((step) => tile(step, today[step.status], true))}</div>
    ${bouncedAfterSending && html`<${BouncedLater} counts=${bouncedAfterSending} />`}
  </section>`;
}

/** What delivery reports told of, beside the day before: recipients, because a report is about one. */
function BouncedLater({ counts: { day, dayBefore } }) {
  const sign = day > dayBefore ? '▲' : day < dayBefore ? '▼' : '=';
  return html`<p class="later">
    <a href="/emails?statuses=bounced">Bounced after sending</a>: <b>${count(day)}</b> in 24 hours,
    <span aria-hidden="true"> ${sign}</span> ${count(dayBefore)} the day before. Delivery reports in the mailbox say so.
  </p>`;
}

function Routes({ overview }) {
  const { relay, causes, mailbox, at } = overview;
  const routes = relay?.routes ?? [];
  return html`<section>
    <h2>Provider connections</h2>
    ${routes.length === 0 && html`<p class="soft">None: no provider is configured completely.</p>`}
    <ul class="facts-list">
      ${routes.map((route) => {
        const lane = relay.lanes?.find(({ name }) => name === route.lane);
        const isGood = route.state === 'good' && (lane?.state ?? 'open') === 'open';
        const words = causeWords(route.cause ?? lane?.cause, causes);
        return html`<li key=${route.lane + route.name}>
          <span class=${`dot ${isGood ? 'good' : route.state === 'good' ? 'care' : 'bad'}`} aria-hidden="true"></span>
          <div>
            <b>${route.host}:${route.port}</b> <span class="soft">${tlsWords(route)}${
              route.lane === 'SMTP' ? '' : `, ${route.lane}`
            }</span>
            <div class="soft">${isGood ? 'works' : (words?.title ?? route.state)}${
              (route.certificate_days_left ?? null) === null
                ? ''
                : `, certificate valid for ${plural(route.certificate_days_left, 'day')}`
            }</div>
          </div>
        </li>`;
      })}
      ${mailbox && html`<${Mailbox} mailbox=${mailbox} causes=${causes} now=${new Date(at).getTime()} />`}
    </ul>
  </section>`;
}

const whyUnmatched = {
  'no-id': 'name no mail by an id',
  'mail-unknown': 'are about mail that is not known here',
  'recipient-unknown': 'are about a recipient that the mail did not have',
};

/** The one that delivery reports are read from. */
function Mailbox({ mailbox, causes, now }) {
  const { user, host, state, cause, detail, lastLookAt, withoutEffect } = mailbox;
  const look = lastLookAt ? `last look ${ago(lastLookAt, now)}` : 'not looked at yet';
  const says = {
    reading: 'delivery reports are read',
    starting: 'delivery reports: starting',
    failing: causeWords(cause, causes)?.title ?? 'delivery reports cannot be read',
  };
  const isLost = host === null;
  return html`<li>
    <span class=${`dot ${isLost || state === 'failing' ? 'bad' : state === 'reading' ? 'good' : 'care'}`} aria-hidden="true"></span>
    <div>
      <b>${host ?? 'No IMAP server'}</b> <span class="soft">IMAP, ${user}</span>
      <div class="soft">${isLost ? 'set BOUNCE_IMAP_HOST for the relay' : `${says[state]}, ${look}`}</div>
      ${state === 'failing' && detail && html`<pre class="said">${detail}</pre>`}
      ${withoutEffect.map(
        ({ outcome, why, count: n, lastAt }) =>
          html`<div class="soft" key=${outcome + why}>${plural(n, 'report')} ${
            outcome === 'unreadable'
              ? 'could not be read'
              : `changed nothing: they ${whyUnmatched[why] ?? 'match nothing'}`
          }, the last one ${ago(lastAt, now)}</div>`,
      )}
    </div>
  </li>`;
}

const tlsWords = ({ tls_mode: mode }) =>
  ({ implicit: 'TLS', starttls: 'STARTTLS', none: 'without TLS' })[mode] ?? mode;

function stateOf({ process, alive, asleepSince, startedAt, seenAt }, worker, now) {
  if (!alive) return `not running, last seen ${ago(seenAt, now)}`;
  if (asleepSince) return `asleep since ${at(asleepSince)}, nothing to do`;
  const handedOver = process === 'worker' && worker?.handed_over;
  return `running for ${span(now - new Date(startedAt))}${handedOver ? `, handed over ${count(handedOver)}` : ''}`;
}

function Processes({ overview }) {
  const { processes, worker, at } = overview;
  const now = new Date(at).getTime();
  // Who was replaced by another of its kind is history and no problem.
  const shown = processes.filter(
    ({ process, alive }, index) =>
      alive || (index === processes.findIndex((each) => each.process === process) && index < 12),
  );
  const missing = ['api', 'relay', 'worker'].filter(
    (name) => !processes.some(({ process }) => process === name),
  );
  return html`<section>
    <h2>Processes</h2>
    <ul class="facts-list">
      ${shown.map(
        (each) => html`<li key=${each.instance}>
          <span class=${`dot ${each.alive ? 'good' : 'bad'}`} aria-hidden="true"></span>
          <div><b>${each.process}</b> <span class="soft">${each.instance.slice(-6)}</span>
            <div class="soft">${stateOf(each, worker, now)}</div>
          </div>
        </li>`,
      )}
      ${missing.map(
        (name) => html`<li key=${name}><span class="dot bad" aria-hidden="true"></span>
          <div><b>${name}</b><div class="soft">never seen</div></div></li>`,
      )}
    </ul>
  </section>`;
}
