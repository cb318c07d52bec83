import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readScheduledTime } from '../../../../relay/client/email/scheduled-time.ts';

const instantOf = (text: string, timeZone?: string) => {
  const time = readScheduledTime(text, timeZone);
  return time.outcome === 'understood' ? time.dueAt.toISOString() : JSON.stringify(time.faults);
};

test.each([
  ['2030-01-31T09:00:00Z', '2030-01-31T09:00:00.000Z'],
  ['2030-01-31t09:00:00z', '2030-01-31T09:00:00.000Z'],
  ['2030-01-31T09:00:00.25+01:00', '2030-01-31T08:00:00.250Z'],
  ['2030-01-31T09:00-05:30', '2030-01-31T14:30:00.000Z'],
  ['2028-02-29T00:00:00+14:00', '2028-02-28T10:00:00.000Z'],
])('%s is an instant of its own', (text, instant) => {
  expect(instantOf(text)).toBe(instant);
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
  ['2030-01-31T09:00:00+01:00', 'Europe/Berlin', '2030-01-31T09:00:00', 'winter'],
  ['2030-07-31T09:00+02:00', 'Europe/Berlin', '2030-07-31T09:00:00', 'summer'],
  ['2030-07-31T07:00:00Z', 'Europe/Berlin', '2030-07-31T09:00:00', 'Z agrees with every zone'],
  ['2026-10-25T02:30:00+02:00', 'Europe/Berlin', '2026-10-25T02:30:00', 'first of two'],
  ['2026-10-25T02:30:00+01:00', 'Europe/Berlin', '2026-10-25T02:30:00', 'second of two'],
  ['2030-07-31T09:00:00-04:00', 'America/New_York', '2030-07-31T09:00:00', 'west'],
  ['2030-07-31T09:00:00+05:45', 'Asia/Kathmandu', '2030-07-31T09:00:00', 'three quarters'],
  ['2030-07-31T09:00:00+00:00', 'UTC', '2030-07-31T09:00:00', 'no offset'],
])('%s agrees with %s, and both are kept (%s)', (text, timeZone, localTime) => {
  const dueAt = new Date(text);
  expect(readScheduledTime(text, timeZone)).toEqual({ outcome: 'understood', dueAt, timeZone, localTime });
});

test.each([
  ['2030-01-31T09:00:00+02:00', 'Europe/Berlin', '2030-01-31T08:00:00+01:00'],
  ['2030-07-31T09:00:00+02:00', 'America/New_York', '2030-07-31T03:00:00-04:00'],
  ['2030-07-31T09:00:00+00:00', 'Europe/London', '2030-07-31T10:00:00+01:00'],
  ['2030-07-31T09:00:00-05:00', 'Asia/Kolkata', '2030-07-31T19:30:00+05:30'],
  // In the gap: the clocks are an hour further.
  ['2026-03-29T02:30:00+01:00', 'Europe/Berlin', '2026-03-29T03:30:00+02:00'],
])('%s contradicts %s; the way out is named', (text, timeZone, accepted) => {
  expect(readScheduledTime(text, timeZone)).toEqual({
    outcome: 'not-understood',
    faults: [{ of: 'time', detail: expect.stringContaining(accepted) }],
  });
  expect(readScheduledTime(accepted, timeZone)).toMatchObject({ dueAt: new Date(text) });
});

test.each([
  ...['IST', 'BST', 'PST', 'CST', 'EST', 'MST', 'HST', 'JST', 'AET', 'CEST', 'EDT', 'PDT', 'AEST'],
  ...['Europe/Atlantis', 'Berlin', 'Etc/Unknown', 'SystemV/PST8', '+02:00', 'UTC+2', 'GMT+2', '', ' UTC'],
])('%j is no zone, whatever the time beside it is', (timeZone) => {
  for (const text of ['2030-07-31T09:00:00', '2030-07-31T09:00:00Z', '2030-07-31T09:00:00+05:30']) {
    expect(readScheduledTime(text, timeZone)).toEqual({
      outcome: 'not-understood',
      faults: [{ of: 'zone', detail: expect.stringMatching(/^must be an IANA time zone such as Europe/) }],
    });
  }
});

test.each([
  'UTC',
  'GMT',
  'CET',
  'Asia/Calcutta',
  'Asia/Kolkata',
  'US/Eastern',
  'Europe/Kyiv',
  'europe/berlin',
])('%s is a zone', (timeZone) =>
  expect(readScheduledTime('2030-07-31T09:00:00', timeZone)).toMatchObject({ timeZone }),
);

test.each([
  ['2030-01-31T09:00:00', undefined, ['time'], 'time_zone'],
  ['2030-02-30T09:00:00Z', undefined, ['time'], 'there is no'],
  ['2030-02-30T09:00:00', 'Europe/Berlin', ['time'], 'there is no'],
  ['2030-02-30T09:00:00', 'IST', ['zone', 'time'], 'there is no'],
  ['2030-01-31T25:00:00Z', undefined, ['time'], 'there is no'],
  ['2030-01-31T09:00:00+25:00', undefined, ['time'], 'there is no'],
  ['2030-01-31', 'Europe/Berlin', ['time'], 'RFC 3339'],
  ['2030-01-31 09:00:00Z', undefined, ['time'], 'RFC 3339'],
  ['2030-01-31T09:00:00Z[Europe/Berlin]', undefined, ['time'], 'RFC 3339'],
  ['tomorrow', 'Europe/Berlin', ['time'], 'RFC 3339'],
  ['tomorrow', 'Europe/Atlantis', ['zone', 'time'], 'RFC 3339'],
  ['', undefined, ['time'], 'RFC 3339'],
])('%j in %j is not understood; the fault is that of %j', (text, timeZone, of, why) => {
  const time = readScheduledTime(text, timeZone);
  if (time.outcome === 'understood') throw new Error('It was understood');
  expect(time.faults.map((fault) => fault.of)).toEqual(of);
  expect(time.faults.at(-1)?.detail).toContain(why);
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
      if (time.outcome !== 'understood') throw new Error(JSON.stringify(time.faults));
      const shown = time.dueAt.toLocaleString('sv-SE', { timeZone }).replace(' ', 'T').slice(0, 16);
      const before = new Date(time.dueAt.getTime() - 1)
        .toLocaleString('sv-SE', { timeZone })
        .replace(' ', 'T');
      expect(shown === local || (shown > local && before < local)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
