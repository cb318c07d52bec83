// Intervals of PostgreSQL as ISO 8601 durations.

/** How pg reads an interval: only the parts that are not zero. */
export type IntervalParts = {
  years?: number;
  months?: number;
  days?: number;
  hours?: number;
  minutes?: number;
  seconds?: number;
  milliseconds?: number;
};

export function toIsoDuration(parts: IntervalParts): string {
  const { years, months, days, hours, minutes, seconds = 0, milliseconds = 0 } = parts;
  const letters = (pairs: [number | undefined, string][]) =>
    pairs.map(([amount, letter]) => (amount ? `${amount}${letter}` : '')).join('');
  const date = letters([
    [years, 'Y'],
    [months, 'M'],
    [days, 'D'],
  ]);
  const time = letters([
    [hours, 'H'],
    [minutes, 'M'],
    [seconds + milliseconds / 1000, 'S'],
  ]);
  return date || time ? `P${date}${time && `T${time}`}` : 'PT0S';
}
