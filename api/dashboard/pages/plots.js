// Two plots: how many mails left in each minute, and how late they were.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { html } from './html.js';
import { count, span } from './words.js';

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** A minute between two without mail has no line to be seen by. */
function alone(plot, series) {
  const values = plot.data[series];
  return values.flatMap((value, index) =>
    value !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null
      ? [index]
      : [],
  );
}

function Plot({ title, summary, series, data, format, atLeast }) {
  const place = useRef();
  const plot = useRef();
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const draw = () => {
      plot.current?.destroy();
      const axis = {
        stroke: colour('--soft'),
        font: '11px system-ui',
        grid: { stroke: colour('--line'), width: 1 },
        ticks: { show: false },
      };
      plot.current = new uPlot(
        {
          width: place.current.clientWidth,
          height: 180,
          padding: [8, 4, 0, 0],
          cursor: { y: false, points: { size: 6 } },
          legend: { live: true },
          scales: { y: { range: (_, __, max) => [0, Math.max((max ?? 0) * 1.1, atLeast)] } },
          axes: [
            {
              ...axis,
              size: 26,
              grid: { show: false },
              space: 70,
              values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1_000)),
            },
            { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => format(tick)) },
          ],
          series: [
            { label: 'At', value: (_, value) => (value ? clock.format(value * 1_000) : '–') },
            ...series.map(({ name, tone, fill }) => ({
              label: name,
              stroke: colour(tone),
              width: 1.5,
              fill: fill ? `color-mix(in srgb, ${colour(tone)} 15%, transparent)` : undefined,
              points: { show: true, size: 5, fill: colour(tone), filter: alone },
              value: (_, value) => (value === null || value === undefined ? '–' : format(value)),
            })),
          ],
        },
        latest.current,
        place.current,
      );
    };
    draw();
    const resized = new ResizeObserver(() => {
      const width = place.current?.clientWidth;
      if (width && width !== plot.current.width) plot.current.setSize({ width, height: 180 });
    });
    resized.observe(place.current);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    addEventListener('theme', draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', draw);
      removeEventListener('theme', draw);
      plot.current.destroy();
    };
  }, []);
  useEffect(() => plot.current.setData(data), [data]);

  return html`<figure class="plot">
    <figcaption><b>${title}</b> <span class="soft">${summary}</span></figcaption>
    <div ref=${place} role="img" aria-label=${`${title}: ${summary}`}></div>
  </figure>`;
}

/** One point a minute, or one for several where a plot would be too fine for its pixels. */
function grouped(minutes, hours) {
  const step = hours > 6 ? 600 : 60;
  const end = Math.floor(Date.now() / 1_000 / step) * step;
  const times = Array.from(
    { length: (hours * 3_600) / step + 1 },
    (_, index) => end - hours * 3_600 + index * step,
  );
  const groups = Map.groupBy(minutes, ({ at }) => Math.floor(new Date(at).getTime() / 1_000 / step) * step);
  return { times, groups: times.map((time) => groups.get(time) ?? []) };
}

const sum = (group, name) => group.reduce((total, each) => total + each[name], 0);

export function ThroughputPlot({ minutes, hours }) {
  const { times, groups } = grouped(minutes, hours);
  const sent = groups.map((group) => sum(group, 'sent'));
  const failed = groups.map((group) => sum(group, 'bounced') + sum(group, 'expired'));
  const total = sent.reduce((all, each) => all + each, 0);
  // A line along the bottom would look like something that happens.
  const isCalm = failed.every((each) => each === 0);
  return html`<${Plot} title=${hours > 6 ? 'Emails per 10 minutes' : 'Emails per minute'}
    summary=${`${count(total)} sent in ${hours === 1 ? 'an hour' : `${hours} hours`}`}
    series=${[{ name: 'sent', tone: '--good', fill: true }, { name: 'bounced or expired', tone: '--bad' }]}
    data=${[times, sent, isCalm ? failed.map(() => null) : failed]} atLeast=${4} format=${(value) => (Number.isInteger(value) ? count(value) : '')} />`;
}

export function LatenessPlot({ minutes, hours }) {
  const { times, groups } = grouped(minutes, hours);
  const worst = (group, name) => {
    const known = group.map((each) => each[name]).filter((value) => value !== null);
    return known.length === 0 ? null : Math.max(0, ...known);
  };
  const half = groups.map((group) => worst(group, 'p50'));
  const most = groups.map((group) => worst(group, 'p99'));
  const known = most.filter((value) => value !== null);
  return html`<${Plot} title="Time from due to sent"
    summary=${known.length === 0 ? 'nothing was sent' : `at most ${span(Math.max(...known))} for 99 %`}
    series=${[{ name: 'median', tone: '--mark', fill: true }, { name: '99 %', tone: '--care' }]}
    data=${[times, half, most]} atLeast=${100} format=${span} />`;
}
