// History: what became of the mail within the last hour, day or week, as plots and as a table.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { Fault, useLoaded } from './parts.js';
import { Plot } from './plots.js';
import { goWith } from './route.js';
import { count, span, upTo } from './words.js';

const windows = [
  ['1', '1 hour'],
  ['24', '24 hours'],
  ['168', '7 days'],
];

export function History({ hours: wanted }) {
  const hours = windows.some(([each]) => each === wanted) ? wanted : '168';
  return html`<section>
    <header class="bar">
      <h2>History</h2>
      <div class="choice" role="group" aria-label="Time span">
        ${windows.map(
          ([each, name]) => html`<button type="button" key=${each} aria-pressed=${each === hours}
            onClick=${() => goWith({ hours: each === '168' ? undefined : each }, { replace: true })}>${name}</button>`,
        )}
      </div>
    </header>
    ${hours === '168' ? html`<${Week} />` : html`<${Minutes} hours=${Number(hours)} key=${hours} />`}
  </section>`;
}

const dayAndHour = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric' });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const ofWeek = (time) => dayAndHour.format(new Date(time));
const ofDay = (time) => clock.format(new Date(time));

/** The words below a plot: at those of its times. */
const ticksOf = (times, isTick, words) =>
  times.flatMap((time, index) =>
    isTick(new Date(time)) ? [{ index, words: words.format(new Date(time)) }] : [],
  );

const percent = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const percents = (value) => `${percent.format(value)} %`;
const share = (part, whole) => (whole === 0 ? null : (100 * part) / whole);
const sum = (list, name) => list.reduce((total, each) => total + each[name], 0);

const ended = ({ accepted, refused, expired }) => accepted + refused + expired;
const deliveryRate = (hour) => share(hour.accepted, ended(hour));
// Who was refused at once and who came back later; of all whom the provider answered. Reports of an hour may be about
// more mail than left in it.
const bounceRate = ({ accepted, refused, returned }) =>
  share(Math.min(refused + returned, accepted + refused), accepted + refused);

const mostWaiting = 100_000;
const many = (value) => upTo(value, mostWaiting);

function Week() {
  const { value, error } = useLoaded(() => ask('/dashboard/history'), []);
  if (!value) return html`<${Fault} error=${error} />`;
  const { hours, p50, p99 } = value;
  const total = {
    accepted: sum(hours, 'accepted'),
    refused: sum(hours, 'refused'),
    expired: sum(hours, 'expired'),
    returned: sum(hours, 'returned'),
  };
  const times = hours.map(({ at }) => new Date(at).getTime());
  const shared = { times, when: ofWeek, ticks: ticksOf(times, (time) => time.getHours() === 0, weekday) };
  const waiting = hours.map((hour) => hour.waiting);
  const most = Math.max(0, ...waiting);
  const isAny = ended(total) > 0;
  const rate = (of, words) =>
    isAny && of(total) !== null ? `${percents(of(total))} in 7 days${words}` : 'nothing was sent';
  return html`
    <${Fault} error=${error} />
    <div class="pair plots">
      <${Plot} ...${shared} title="Delivery rate" kind="rate" least=${4} format=${percents}
        summary=${rate(deliveryRate, `: ${count(total.accepted)} of ${count(ended(total))} recipients`)}
        series=${[{ name: 'accepted by the provider', tone: 'good', values: hours.map(deliveryRate) }]} />
      <${Plot} ...${shared} title="Bounce rate" kind="share" least=${5} format=${percents}
        summary=${rate(bounceRate, `: ${count(total.refused)} refused, ${count(total.returned)} returned later`)}
        series=${[{ name: 'refused or returned', tone: 'bad', fill: true, values: hours.map(bounceRate) }]} />
      <${Plot} ...${shared} title="Waiting" kind="count" least=${10} format=${many}
        summary=${most > 0 ? `at most ${many(most)} at once` : 'nothing waited for longer than a minute'}
        series=${[{ name: 'most in the hour', tone: 'care', fill: true, values: waiting }]} />
      <${Plot} ...${shared} title="Delay" kind="delay" least=${1_000} format=${span}
        summary=${p50 === null ? 'nothing was sent' : `half within ${span(p50)}, 99 % within ${span(p99)}`}
        series=${[{ name: 'median', tone: 'mark', values: hours.map((hour) => hour.p50) }, { name: '99 %', tone: 'care', values: hours.map((hour) => hour.p99) }]} />
    </div>
    <details class="meaning">
      <summary>What the numbers mean</summary>
      <p>All mail, of the API and over SMTP, counted by recipient and by hour, up to about a minute ago.</p>
      <ul>
        <li><b>Delivery rate</b>: accepted by the provider, of those that were accepted, refused or expired. Accepted is not yet read: what comes back later is in the bounce rate.</li>
        <li><b>Bounce rate</b>: refused by the provider, or returned later by a delivery report (in the hour of the report), of those that were accepted or refused.</li>
        <li><b>Waiting</b>: recipients that are queued or deferred, and emails that are due; the most of the looks once a minute. Held and scheduled mail is not in it.</li>
        <li><b>Delay</b>: from the time it was due (over SMTP: taken) to the provider’s reply, to within a third. The scale grows tenfold, so that one slow email does not hide the others.</li>
        <li>Cancelled, captured and suppressed mail is in none of them.</li>
      </ul>
    </details>
    <${AsTable} columns=${columns} rows=${hours.filter((hour) => ended(hour) + hour.returned + (hour.waiting ?? 0) > 0)} />`;
}

const orNone = (value, format) => (value === null ? '–' : format(value));
const columns = [
  ['Hour', ({ at }) => ofWeek(at)],
  ['Accepted', ({ accepted }) => count(accepted)],
  ['Refused', ({ refused }) => count(refused)],
  ['Returned', ({ returned }) => count(returned)],
  ['Expired', ({ expired }) => count(expired)],
  ['Delivery', (hour) => orNone(deliveryRate(hour), percents)],
  ['Bounces', (hour) => orNone(bounceRate(hour), percents)],
  ['Waiting', ({ waiting }) => orNone(waiting, many)],
  ['Median', ({ p50 }) => orNone(p50, span)],
  ['99 %', ({ p99 }) => orNone(p99, span)],
];

/** Drawn only when it is opened: it has a row for each hour. */
function AsTable({ columns: shown, rows }) {
  const [open, setOpen] = useState(false);
  return html`<details class="as-table" onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>As a table</summary>
    ${
      open &&
      (rows.length === 0
        ? html`<p class="soft">Nothing happened.</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="History as a table"><table>
          <thead><tr>${shown.map(([name]) => html`<th key=${name} scope="col">${name}</th>`)}</tr></thead>
          <tbody>${rows
            .toReversed()
            .map(
              (row) =>
                html`<tr key=${row.at}>${shown.map(([name, cell], index) =>
                  index === 0
                    ? html`<th key=${name} scope="row">${cell(row)}</th>`
                    : html`<td key=${name}>${cell(row)}</td>`,
                )}</tr>`,
            )}</tbody></table></div>`)
    }
  </details>`;
}

/** One point a minute, or one for several where a plot would be too fine for its pixels. */
function grouped(minutes, hours) {
  const step = hours > 6 ? 600_000 : 60_000;
  const end = Math.floor(Date.now() / step) * step;
  const begin = end - hours * 3_600_000;
  const times = Array.from({ length: (end - begin) / step + 1 }, (_, index) => begin + index * step);
  const groups = Map.groupBy(minutes, ({ at }) => Math.floor(new Date(at).getTime() / step) * step);
  return { times, groups: times.map((time) => groups.get(time) ?? []) };
}

const worst = (group, name) => {
  const known = group.map((each) => each[name]).filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(0, ...known);
};

function Minutes({ hours }) {
  const { value, error } = useLoaded(() => ask(`/dashboard/minutes?hours=${hours}`), [hours]);
  if (!value) return html`<${Fault} error=${error} />`;
  const { times, groups } = grouped(value, hours);
  const failed = groups.map((group) => sum(group, 'bounced') + sum(group, 'expired'));
  // A line along the bottom would look like something that happens.
  const isCalm = failed.every((each) => each === 0);
  const most = groups.map((group) => worst(group, 'p99'));
  const isTick = (time) =>
    hours > 6 ? time.getMinutes() === 0 && time.getHours() % 4 === 0 : time.getMinutes() % 10 === 0;
  const shared = { times, when: ofDay, ticks: ticksOf(times, isTick, clock) };
  const known = most.filter((each) => each !== null);
  return html`
    <${Fault} error=${error} />
    <div class="pair plots">
      <${Plot} ...${shared} title=${hours > 6 ? 'Emails of the API per 10 minutes' : 'Emails of the API per minute'} kind="count" least=${4} format=${count}
        summary=${`${count(sum(value, 'sent'))} sent in ${hours === 1 ? 'an hour' : `${hours} hours`}`}
        series=${[
          { name: 'sent', tone: 'good', fill: true, values: groups.map((group) => sum(group, 'sent')) },
          { name: 'bounced or expired', tone: 'bad', values: isCalm ? [] : failed },
        ]} />
      <${Plot} ...${shared} title="Time from due to sent" kind="delay" least=${1_000} format=${span}
        summary=${known.length === 0 ? 'nothing was sent' : `at most ${span(Math.max(...known))} for 99 %`}
        series=${[
          { name: 'median', tone: 'mark', values: groups.map((group) => worst(group, 'p50')) },
          { name: '99 %', tone: 'care', values: most },
        ]} />
    </div>
    <${AsTable} columns=${minuteColumns} rows=${value} />`;
}

const minuteColumns = [
  ['At', ({ at }) => ofDay(at)],
  ['Sent', ({ sent }) => count(sent)],
  ['Bounced', ({ bounced }) => count(bounced)],
  ['Expired', ({ expired }) => count(expired)],
  ['Median', ({ p50 }) => orNone(p50, span)],
  ['99 %', ({ p99 }) => orNone(p99, span)],
];
