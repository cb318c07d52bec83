import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readScheduledTime } from '../../../relay/client/scheduled-time.ts';

const instantOf = (text: string, timeZone?: string) => {
  const time = readScheduledTime(text, timeZone);
  return time.outcome === 'understood' ? time.dueAt.toISOString() : time.detail;
};

test.each([
  ['2030-01-31T09:00:00Z', '2030-01-31T09:00:00.000Z'],
  ['2030-01-31t09:00:00z', '2030-01-31T09:00:00.000Z'],
  ['2030-01-31T09:00:00.25+01:00', '2030-01-31T08:00:00.250Z'],
  ['2030-01-31T09:00-05:30', '2030-01-31T14:30:00.000Z'],
  ['2028-02-29T00:00:00+14:00', '2028-02-28T10:00:00.000Z'],
])('%s is an instant of its own', (text, instant) => {
  expect(instantOf(text)).toBe(instant);
  expect(instantOf(text, 'America/New_York')).toBe(instant);
});

test.each([
  // Northern hemisphere: the gap of spring and the overlap of autumn.
  ['Europe/Berlin', '2026-03-29T01:59:59', '2026-03-29T00:59:59.000Z', 'before the gap'],
  ['Europe/Berlin', '2026-03-29T02:00', '2026-03-29T01:00:00.000Z', 'gap begins'],
  ['Europe/Berlin', '2026-03-29T02:30', '2026-03-29T01:00:00.000Z', 'in the gap'],
  ['Europe/Berlin', '2026-03-29T02:59:59.999', '2026-03-29T01:00:00.000Z', 'end of the gap'],
  ['Europe/Berlin', '2026-03-29T03:00', '2026-03-29T01:00:00.000Z', 'after the gap'],
  ['Europe/Berlin', '2026-10-25T02:30', '2026-10-25T00:30:00.000Z', 'first of two'],
  ['Europe/Berlin', '2026-10-25T03:00', '2026-10-25T02:00:00.000Z', 'after the overlap'],
  ['America/New_York', '2026-03-08T02:30', '2026-03-08T07:00:00.000Z', 'in the gap'],
  ['America/New_York', '2026-11-01T01:30', '2026-11-01T05:30:00.000Z', 'first of two'],
  // Southern hemisphere: the other way round; Lord Howe moves by half an hour only.
  ['America/Santiago', '2026-09-06T00:30', '2026-09-06T04:00:00.000Z', 'gap at midnight'],
  ['America/Santiago', '2026-04-04T23:30', '2026-04-05T02:30:00.000Z', 'first of two'],
  ['Australia/Sydney', '2026-10-04T02:30', '2026-10-03T16:00:00.000Z', 'in the gap'],
  ['Australia/Sydney', '2026-04-05T02:30', '2026-04-04T15:30:00.000Z', 'first of two'],
  ['Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:30:00.000Z', 'in half an hour of gap'],
  ['Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45:00.000Z', 'first of two'],
  // Zones that changed their rules: Samoa skipped a whole day, Türkiye and São Paulo gave up summer time,
  // Pyongyang moved by half an hour.
  ['Pacific/Apia', '2011-12-30T12:00', '2011-12-30T10:00:00.000Z', 'a day that never was'],
  ['Pacific/Apia', '2011-12-31T00:00', '2011-12-30T10:00:00.000Z', 'the day after it'],
  ['Europe/Istanbul', '2016-01-15T12:00', '2016-01-15T10:00:00.000Z', 'last winter time'],
  ['Europe/Istanbul', '2026-01-15T12:00', '2026-01-15T09:00:00.000Z', 'summer time for ever'],
  ['America/Sao_Paulo', '2018-11-04T00:30', '2018-11-04T03:00:00.000Z', 'gap at midnight'],
  ['America/Sao_Paulo', '2026-11-01T00:30', '2026-11-01T03:30:00.000Z', 'no gap any more'],
  ['Asia/Pyongyang', '2018-05-04T23:45', '2018-05-04T15:00:00.000Z', 'in the gap'],
  ['Asia/Kolkata', '2026-06-01T09:00', '2026-06-01T03:30:00.000Z', 'half an hour beside'],
  ['UTC', '2026-06-01T09:00', '2026-06-01T09:00:00.000Z', 'no zone at all'],
])('%s %s is %s (%s)', (timeZone, text, instant) => {
  expect(instantOf(text, timeZone)).toBe(instant);
  expect(readScheduledTime(text, timeZone)).toMatchObject({ timeZone, localTime: text });
});

test.each([
  ['2030-01-31T09:00:00', undefined, 'time_zone'],
  ['2030-01-31T09:00:00', 'Europe/Atlantis', 'IANA'],
  ['2030-01-31T09:00:00', '+02:00', 'IANA'],
  ['2030-02-30T09:00:00Z', undefined, 'there is no'],
  ['2030-02-30T09:00:00', 'Europe/Berlin', 'there is no'],
  ['2030-01-31T25:00:00Z', undefined, 'there is no'],
  ['2030-01-31T09:00:00+25:00', undefined, 'there is no'],
  ['2030-01-31', 'Europe/Berlin', 'RFC 3339'],
  ['2030-01-31 09:00:00Z', undefined, 'RFC 3339'],
  ['2030-01-31T09:00:00Z[Europe/Berlin]', undefined, 'RFC 3339'],
  ['tomorrow', 'Europe/Berlin', 'RFC 3339'],
  ['', undefined, 'RFC 3339'],
])('%j in %j is not understood, and the answer says why', (text, timeZone, why) => {
  expect(readScheduledTime(text, timeZone)).toEqual({
    outcome: 'not-understood',
    detail: expect.stringContaining(why),
  });
});

test('any words at all are understood or not, but never an accident', () => {
  fc.assert(
    fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (text, timeZone) => {
      expect(['understood', 'not-understood']).toContain(readScheduledTime(text, timeZone).outcome);
    }),
  );
});

test('any local time in any zone is an instant at which clocks there show it, or the first after a gap', () => {
  const zones = Intl.supportedValuesOf('timeZone');
  const noon = fc.date({ min: new Date('2015-01-01'), max: new Date('2035-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(fc.constantFrom(...zones), noon, (timeZone, date) => {
      const local = date.toISOString().slice(0, 16);
      const time = readScheduledTime(local, timeZone);
      if (time.outcome !== 'understood') throw new Error(time.detail);
      const shown = time.dueAt.toLocaleString('sv-SE', { timeZone }).replace(' ', 'T').slice(0, 16);
      const before = new Date(time.dueAt.getTime() - 1)
        .toLocaleString('sv-SE', { timeZone })
        .replace(' ', 'T');
      expect(shown === local || (shown > local && before < local)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
