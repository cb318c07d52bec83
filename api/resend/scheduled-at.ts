// `scheduled_at` as the client documents it: ISO 8601, or a few words of English. The grammar is closed: what it does not
// hold is refused, because a mail whose time was misread leaves at the wrong one.
import { Temporal } from 'temporal-polyfill';
import { faultOfTimeZone, readScheduledTime } from '../../relay/client/email/scheduled-time.ts';

/** The time as the API takes it. */
export type Schedule = { readonly scheduled_datetime: string; readonly time_zone?: string };

export const acceptedTimes =
  '2030-01-31T09:00:00+01:00, "in 1 hour", "tomorrow at 9am" or "friday at 3pm ET" would be accepted';

const seconds: Readonly<Record<string, number>> = {
  s: 1,
  sec: 1,
  second: 1,
  m: 60,
  min: 60,
  minute: 60,
  h: 3600,
  hr: 3600,
  hour: 3600,
  d: 86_400,
  day: 86_400,
  week: 604_800,
};

const span = /^in (?:(\d{1,5})|an?) ?(s|sec|second|m|min|minute|h|hr|hour|d|day|week)s?$/;

const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const dayAndTime = new RegExp(
  `^(?:on )?(today|tomorrow|${weekdays.join('|')}) at ` +
    String.raw`(?:(\d{1,2})(?::(\d{2}))? ?(am|pm)|(\d{1,2}):(\d{2}))(?: (\S+))?$`,
);

/** Only those that follow the summer time of their place: EST in July would be an hour late. */
const zones: Readonly<Record<string, string>> = {
  utc: 'UTC',
  gmt: 'UTC',
  et: 'America/New_York',
  ct: 'America/Chicago',
  mt: 'America/Denver',
  pt: 'America/Los_Angeles',
};

/** Whether the words need a clock. */
export const isSaidInWords = (text: string): boolean => /^\s*[a-z]/i.test(text);

/** Undefined when the words are none of the grammar. Without a zone they mean UTC. */
export function readWords(text: string, now: Date): Schedule | undefined {
  const words = text.trim().replaceAll(/\s+/g, ' ').toLowerCase();
  const [, count, unit] = span.exec(words) ?? [];
  if (unit !== undefined) return at(now.getTime() + Number(count ?? 1) * (seconds[unit] ?? 0) * 1000);
  const [, day, hour12, minute12 = '00', half, hour24, minute24 = '00', place = 'utc'] =
    dayAndTime.exec(words) ?? [];
  if (day === undefined) return undefined;
  const time = hour12 === undefined ? [Number(hour24), minute24] : [hourOf(Number(hour12), half), minute12];
  const [hour = 24, minute] = time;
  if (Number(hour) > 23 || Number(minute) > 59) return undefined;
  const zone = zones[place] ?? place;
  if (faultOfTimeZone(zone) !== undefined) return undefined;
  const today = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone).toPlainDate();
  const onDay = (days: number) => schedule(`${today.add({ days })}T${pad(hour)}:${minute}:00`, zone);
  if (day === 'today') return onDay(0);
  if (day === 'tomorrow') return onDay(1);
  const days = (weekdays.indexOf(day) + 8 - today.dayOfWeek) % 7;
  const next = onDay(days);
  return next.dueAt > now ? next : onDay(days + 7);
}

/** The other spellings of ISO 8601 that clients write: a blank for the T, and an offset without minutes. */
export const asRfc3339 = (text: string): string =>
  text
    .trim()
    .replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, '$1T')
    .replace(/(:\d{2}(?:\.\d+)?[+-]\d{2})$/, '$1:00');

/** 12am is midnight and 12pm is noon; there is no 13pm. */
function hourOf(hour: number, half: string | undefined): number {
  if (hour < 1 || hour > 12) return 24;
  return (hour % 12) + (half === 'pm' ? 12 : 0);
}

const pad = (hour: number | string) => String(hour).padStart(2, '0');

/** Five digits of weeks are less than two thousand years: every such instant is a Date. */
const at = (epochMs: number): Schedule => ({ scheduled_datetime: new Date(epochMs).toISOString() });

function schedule(local: string, zone: string): Schedule & { readonly dueAt: Date } {
  const time = readScheduledTime(local, zone);
  if (time.outcome === 'not-understood') throw new Error(`The time ${local} in ${zone} cannot be read`);
  return { scheduled_datetime: local, time_zone: zone, dueAt: time.dueAt };
}
