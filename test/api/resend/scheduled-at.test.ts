import { describe, expect, test } from 'vitest';
import { asRfc3339, readWords } from '../../../api/resend/scheduled-at.ts';

// A Wednesday, and summer time in New York: 08:30 there.
const now = new Date('2026-07-01T12:30:00Z');

describe('words that say a time', () => {
  test.each([
    ['in 1 hour', '2026-07-01T13:30:00.000Z'],
    ['in an hour', '2026-07-01T13:30:00.000Z'],
    ['in 1 min', '2026-07-01T12:31:00.000Z'],
    ['In 5 minutes', '2026-07-01T12:35:00.000Z'],
    ['in 5 mins', '2026-07-01T12:35:00.000Z'],
    ['in 90 seconds', '2026-07-01T12:31:30.000Z'],
    ['in 2 days', '2026-07-03T12:30:00.000Z'],
    [' in  1  week ', '2026-07-08T12:30:00.000Z'],
  ])('%s is an instant', (text, expected) => {
    expect(readWords(text, now)).toEqual({ scheduled_datetime: expected });
  });

  test.each([
    ['tomorrow at 9am', '2026-07-02T09:00:00', 'UTC'],
    ['Tomorrow at 9:15 PM', '2026-07-02T21:15:00', 'UTC'],
    ['today at 12pm UTC', '2026-07-01T12:00:00', 'UTC'],
    ['tomorrow at 12am', '2026-07-02T00:00:00', 'UTC'],
    ['tomorrow at 17:05', '2026-07-02T17:05:00', 'UTC'],
    ['Friday at 3pm ET', '2026-07-03T15:00:00', 'America/New_York'],
    ['on monday at 8am PT', '2026-07-06T08:00:00', 'America/Los_Angeles'],
    ['friday at 3pm Europe/Berlin', '2026-07-03T15:00:00', 'europe/berlin'],
    // Today while it is still to come, in the place that is said, and otherwise in a week.
    ['wednesday at 9am ET', '2026-07-01T09:00:00', 'America/New_York'],
    ['wednesday at 8am ET', '2026-07-08T08:00:00', 'America/New_York'],
  ])('%s is a local time in a zone', (text, local, zone) => {
    expect(readWords(text, now)).toMatchObject({ scheduled_datetime: local, time_zone: zone });
  });

  test.each([
    'soon',
    'now',
    'next week',
    'next friday at 3pm',
    'tomorrow',
    'in hours',
    'in -1 hour',
    'in 1.5 hours',
    'in 1 month',
    'tomorrow at 13pm',
    'tomorrow at 0am',
    'tomorrow at 9',
    'tomorrow at 24:00',
    'tomorrow at 9am EST',
    'tomorrow at 9am somewhere',
    'tomorrow at 9am ET or later',
    'friday 3pm',
  ])('%s is refused', (text) => {
    expect(readWords(text, now)).toBeUndefined();
  });
});

test.each([
  ['2026-07-02 09:00:00.123+00', '2026-07-02T09:00:00.123+00:00'],
  ['2026-07-02T09:00:00Z', '2026-07-02T09:00:00Z'],
  ['2026-07-02T09:00:00+02:00', '2026-07-02T09:00:00+02:00'],
])('%s is written as RFC 3339 writes it', (text, expected) => {
  expect(asRfc3339(text)).toBe(expected);
});
