// When a mail is to leave, from the words of a caller. Offsets and zones are theirs; we keep the instant.
import { Temporal } from 'temporal-polyfill';

/** Which of the caller's two words is at fault, and how, as the rest of a sentence that begins with it. */
export type TimeFault = { readonly of: 'time' | 'zone'; readonly detail: string };

export type ScheduledTime =
  | {
      readonly outcome: 'understood';
      readonly dueAt: Date;
      /** Given only beside a zone: how the caller said it, so that it can be shown back. */
      readonly timeZone?: string;
      readonly localTime?: string;
    }
  | { readonly outcome: 'not-understood'; readonly faults: readonly TimeFault[] };

const dateAndTime = String.raw`\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?`;
const withOffset = new RegExp(String.raw`^(${dateAndTime})([Zz]|[+-]\d{2}:\d{2})$`);
const withoutOffset = new RegExp(`^${dateAndTime}$`);

/**
 * Understands an RFC 3339 time with an offset, or a local time together with an IANA zone. Seconds may be left out,
 * as browsers do. A local time that a change of clocks skips means the first instant after the gap; one that occurs
 * twice means the first. An offset and a zone together must agree; `Z` says nothing of local time and agrees with
 * every zone (RFC 9557 section 2.2).
 */
export function readScheduledTime(text: string, timeZone?: string): ScheduledTime {
  const zoneFault = timeZone === undefined ? undefined : faultOfTimeZone(timeZone);
  const reading = readTime(text, zoneFault === undefined ? timeZone : undefined, timeZone !== undefined);
  if (zoneFault === undefined) return reading;
  const faults = reading.outcome === 'understood' ? [] : reading.faults;
  return { outcome: 'not-understood', faults: [{ of: 'zone', detail: zoneFault }, ...faults] };
}

/** @param zoneIsSaid also when it is at fault and `timeZone` is therefore undefined */
function readTime(text: string, timeZone: string | undefined, zoneIsSaid: boolean): ScheduledTime {
  const [, , offset] = withOffset.exec(text) ?? [];
  if (offset === undefined && !withoutOffset.test(text)) {
    return atFault(
      `cannot be read: ${JSON.stringify(text)} is not an RFC 3339 date and time; 2030-01-31T09:00:00+01:00 would be accepted`,
    );
  }
  if (offset === undefined && !zoneIsSaid) {
    return atFault(
      'cannot be read: a time without an offset needs time_zone; or say it as 2030-01-31T09:00:00+01:00',
    );
  }
  try {
    if (offset === undefined) {
      const local = Temporal.PlainDateTime.from(text.toUpperCase());
      const dueAt = toDate(firstInstantOf(local, timeZone ?? 'UTC'));
      return { outcome: 'understood', dueAt, ...(timeZone !== undefined && { timeZone, localTime: text }) };
    }
    const instant = Temporal.Instant.from(text.toUpperCase());
    if (timeZone === undefined) return { outcome: 'understood', dueAt: toDate(instant) };
    return withBoth(instant, { offset, timeZone });
  } catch (error) {
    if (error instanceof RangeError) return atFault(`cannot be read: there is no ${JSON.stringify(text)}`);
    throw error;
  }
}

function withBoth(
  instant: Temporal.Instant,
  { offset, timeZone }: { offset: string; timeZone: string },
): ScheduledTime {
  const there = instant.toZonedDateTimeISO(timeZone);
  if (offset.toUpperCase() !== 'Z' && there.offset.slice(0, 6) !== offset) {
    return atFault(
      `contradicts time_zone: in ${timeZone} the clocks are at ${there.offset} then; ` +
        `${there.toString({ timeZoneName: 'never' })} with time_zone, or the time without time_zone, would be accepted`,
    );
  }
  const localTime = there.toPlainDateTime().toString();
  return { outcome: 'understood', dueAt: toDate(instant), timeZone, localTime };
}

// Three letters mean several places, or leave out the summer: who writes EST in July is an hour late. `CET` and its kin
// have their summer time, and with `UTC` and `GMT` there is nothing to mistake.
const fixedAbbreviation = /^(?:EST|MST|HST)$/i;

/** Why it names no IANA zone, as the rest of a sentence. */
export function faultOfTimeZone(name: string): string | undefined {
  if (!/^[A-Za-z]/.test(name)) {
    return 'must be an IANA time zone such as Europe/Berlin; put an offset into the time itself';
  }
  if (fixedAbbreviation.test(name) || !isKnown(name)) {
    return `must be an IANA time zone such as Europe/Berlin or America/New_York; ${name} is none`;
  }
  return undefined;
}

// Intl knows more than IANA does: ICU's own abbreviations, which Temporal refuses, and its old `SystemV/` zones.
function isKnown(name: string): boolean {
  if (/^SystemV\//i.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
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

const atFault = (detail: string) =>
  ({ outcome: 'not-understood', faults: [{ of: 'time', detail }] }) as const;
