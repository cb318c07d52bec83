// Times of the clock on the wall somewhere, and the choice of where.
import { html } from './html.js';

export const ownZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The time over there, as an input of a form wants it: `2030-03-01T09:00`, with seconds for `medium`. */
export function localIn(time, timeZone, style = 'short') {
  const parts = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: style });
  return parts.format(new Date(time)).replace(' ', 'T');
}

/** @param first those that are likely */
export function Zones({ first = [], value, onChange, ...more }) {
  const zones = [...new Set([...first, ownZone, 'UTC', ...(Intl.supportedValuesOf?.('timeZone') ?? [])])];
  return html`<select value=${value} onChange=${(event) => onChange(event.target.value)} ...${more}>
    ${zones.filter((zone) => zone !== undefined && zone !== null).map((each) => html`<option key=${each} value=${each}>${each || '(none)'}</option>`)}
  </select>`;
}
