// When a mail is to leave, from the words of a caller. Offsets and zones are theirs; we keep the instant.
import { Temporal } from 'temporal-polyfill';

export type ScheduledTime =
  | {
      readonly outcome: 'understood';
      readonly dueAt: Date;
      /** Given only for a local time: how the caller said it, so that it can be shown back. */
      readonly timeZone?: string;
      readonly localTime?: string;
    }
  | { readonly outcome: 'not-understood'; readonly detail: string };

const dateAndTime = String.raw`\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?`;
const withOffset = new RegExp(String.raw`^${dateAndTime}(?:[Zz]|[+-]\d{2}:\d{2})$`);
const withoutOffset = new RegExp(`^${dateAndTime}$`);

/**
 * Understands an RFC 3339 time with an offset, or a local time together with an IANA zone. Seconds may be left out,
 * as browsers do. A local time that a change of clocks skips means the first instant after the gap; one that occurs
 * twice means the first. With an offset the zone changes nothing.
 */
export function readScheduledTime(text: string, timeZone?: string): ScheduledTime {
  try {
    if (withOffset.test(text)) return { outcome: 'understood', dueAt: toDate(Temporal.Instant.from(text)) };
    if (!withoutOffset.test(text))
      return notUnderstood(`${JSON.stringify(text)} is not an RFC 3339 date and time`);
    if (timeZone === undefined) {
      return notUnderstood(
        'a time without an offset needs time_zone; or say it as 2030-01-31T09:00:00+01:00',
      );
    }
    if (!isTimeZone(timeZone)) return notUnderstood(`${JSON.stringify(timeZone)} is not an IANA time zone`);
    const local = Temporal.PlainDateTime.from(text.toUpperCase());
    return {
      outcome: 'understood',
      dueAt: toDate(firstInstantOf(local, timeZone)),
      timeZone,
      localTime: text,
    };
  } catch (error) {
    if (error instanceof RangeError) return notUnderstood(`there is no ${JSON.stringify(text)}`);
    throw error;
  }
}

/** Whether it names an IANA zone; bare offsets such as `+02:00` do not, because they know no summer. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function firstInstantOf(local: Temporal.PlainDateTime, timeZone: string): Temporal.Instant {
  const first = local.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  if (first.toPlainDateTime().equals(local)) return first.toInstant();
  // The clocks skipped it: "earlier" went back by the length of the gap, to an instant before the change.
  const change = first.getTimeZoneTransition('next');
  return (change ?? first).toInstant();
}

const toDate = (instant: Temporal.Instant) => new Date(instant.epochMilliseconds);

const notUnderstood = (detail: string) => ({ outcome: 'not-understood', detail }) as const;
