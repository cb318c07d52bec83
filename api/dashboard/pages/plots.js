// A plot over time that is read by eye, by pointer, by keyboard and aloud. Counts and delays stand on scales on which one
// outlier does not press the rest to the ground. Colours are the style sheet's, so that a change of theme needs no drawing.
import { useRef, useState } from 'preact/hooks';
import { html } from './html.js';

// Lines of the scales that grow tenfold: each about three times the one before.
const tens = [1, 3].flatMap((first) => Array.from({ length: 9 }, (_, power) => first * 10 ** power));
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const delays = [1, 10, 100, second, 10 * second, minute, 10 * minute, hour, 6 * hour, 24 * hour, 168 * hour];

/** Lines of an even scale: whole steps of 1, 2 or 5. */
function evenly(from, to) {
  const rough = (to - from) / 4;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * ten).find((each) => each >= rough);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, index) => (first + index) * step);
}

/**
 * What the scale shows, where a value stands on it (0 below, 1 above), and its lines.
 *
 * @param least how much it shows even where the values are small
 */
function scaleOf(kind, values, least) {
  const known = values.flat().filter((value) => value !== null);
  const max = Math.max(0, ...known);
  if (kind === 'count') {
    const top = Math.asinh(Math.max(max * 1.3, least));
    return { of: (value) => Math.asinh(value) / top, lines: [0, ...tens] };
  }
  if (kind === 'delay') {
    const low = Math.log(Math.max(1, Math.min(least / 10, ...known) / 2));
    const top = Math.log(Math.max(max * 1.6, least));
    // What took no time at all stands on the ground.
    return { of: (value) => Math.max(0, (Math.log(Math.max(1, value)) - low) / (top - low)), lines: delays };
  }
  // A rate falls from 100 %, a share rises from nothing.
  const low = kind === 'rate' ? Math.max(0, Math.min(100 - least, ...known)) : 0;
  const top = kind === 'rate' ? 100 : Math.min(100, Math.max(max * 1.2, least));
  return { of: (value) => ((value - low) / (top - low)) * 0.97, lines: evenly(low, top) };
}

// So much of the height that the words of two lines do not touch.
const apart = 0.13;

function linesOf({ of, lines }) {
  const kept = [];
  for (const line of lines) {
    const at = of(line);
    if (at >= 0 && at <= 1 && (kept.length === 0 || at - kept.at(-1).at >= apart)) kept.push({ line, at });
  }
  return kept;
}

const round = (value) => Math.round(value * 100) / 100;

/** The stretches without a gap; one of a single point is a dot. */
function stretchesOf(values, of) {
  const stretches = [];
  values.forEach((value, index) => {
    if (value === null || value === undefined) return;
    if (index === 0 || (values[index - 1] ?? null) === null) stretches.push([]);
    stretches.at(-1).push([round((1_000 * index) / (values.length - 1)), round(100 * (1 - of(value)))]);
  });
  return stretches;
}

const pathOf = (points) =>
  `M${points.map((point) => point.join(' ')).join('L')}${points.length === 1 ? 'h.01' : ''}`;
const areaOf = (points) => `${pathOf(points)}V100H${points[0][0]}Z`;

function Curve({ values, of, tone, fill }) {
  const stretches = stretchesOf(values, of);
  const isDot = (points) => points.length === 1;
  const path = (points) => points.map(pathOf).join('');
  return html`<g class=${tone}>
    ${fill && html`<path class="area" d=${stretches.map(areaOf).join('')} />`}
    <path class="curve" d=${path(stretches.filter((points) => !isDot(points)))} />
    <path class="dots" d=${path(stretches.filter(isDot))} />
  </g>`;
}

const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -24, PageUp: 24 };

/** Where the keyboard goes for this key; undefined where it goes nowhere. */
function moved(key, from, last) {
  if (key === 'Home') return 0;
  if (key === 'End') return last;
  return steps[key] && Math.min(last, Math.max(0, from + steps[key]));
}

const percent = (part) => `${round(100 * part)}%`;

/**
 * @param times in milliseconds, evenly spread
 * @param series each with its name, tone and values; `fill` also fills the area below
 * @param kind `count`, `delay`, `share` or `rate`: the scale
 * @param ticks the words below the plot, each at the place of a time
 * @param when says a time
 */
export function Plot({ title, summary, kind, least, times, series, format, when, ticks }) {
  const [at, setAt] = useState();
  const [isHere, setHere] = useState(false);
  const chart = useRef();
  const last = times.length - 1;
  const here = Math.min(at ?? last, last);
  const scale = scaleOf(
    kind,
    series.map(({ values }) => values),
    least,
  );
  const said = series.map(
    ({ name, values }) => `${name} ${(values[here] ?? null) === null ? '–' : format(values[here])}`,
  );
  const press = (event) => {
    const index = moved(event.key, here, last);
    if (index === undefined) return;
    event.preventDefault();
    setAt(index);
    setHere(true);
  };
  const point = (event) => {
    const { left, width } = chart.current.getBoundingClientRect();
    setAt(Math.min(last, Math.max(0, Math.round(((event.clientX - left) / width) * last))));
    setHere(true);
  };
  return html`<figure class="plot">
    <figcaption><b>${title}</b> <span class="soft">${summary}</span></figcaption>
    <div class="chart" ref=${chart} role="slider" tabindex="0" aria-label=${`${title}: ${summary}. Read it with the arrow keys.`}
      aria-valuemin="0" aria-valuemax=${last} aria-valuenow=${here} aria-valuetext=${`${when(times[here])}: ${said.join(', ')}`}
      onKeyDown=${press} onPointerMove=${point} onPointerDown=${point} onPointerLeave=${() => setHere(false)}
      onFocus=${(event) => setHere(event.target.matches(':focus-visible'))} onBlur=${() => setHere(false)}>
      ${linesOf(scale).map(
        ({ line, at: height }) =>
          html`<div class="line" key=${line} style=${{ bottom: percent(height) }}><span>${format(line)}</span></div>`,
      )}
      <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
        ${series.map(({ name, ...curve }) => html`<${Curve} key=${name} ...${curve} of=${scale.of} />`)}
      </svg>
      ${ticks.map(({ index, words }) => html`<span class="tick" key=${index} style=${{ left: percent(index / last) }}>${words}</span>`)}
      ${isHere && html`<div class="cursor" style=${{ left: percent(here / last) }}></div>`}
    </div>
    <p class="reading" aria-hidden="true">
      ${isHere && html`<b>${when(times[here])}</b>`}
      ${series.map(
        ({ name, tone, values }) =>
          html`<span key=${name} class=${tone}><i></i>${name}${
            isHere && html` <b>${(values[here] ?? null) === null ? '–' : format(values[here])}</b>`
          }</span>`,
      )}
    </p>
  </figure>`;
}
