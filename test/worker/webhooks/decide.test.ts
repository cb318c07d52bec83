import { expect, test } from 'vitest';
import { decide } from '../../../worker/webhooks/decide.ts';

const now = new Date('2026-03-01T09:00:00Z');
const scheduleMs = [5_000, 300_000];
const at = (attempts: number, chance = 0.5) => ({ attempts, scheduleMs, now, chance });

test.each([200, 201, 204, 299])('%i ends it', (status) => {
  expect(decide({ status, retryAfter: undefined }, at(0))).toBeUndefined();
});

test.each([
  [null, undefined, 0, { nextInSeconds: 5, pauseSeconds: null, isGone: false }],
  [500, undefined, 1, { nextInSeconds: 300, pauseSeconds: null, isGone: false }],
  [500, undefined, 2, { nextInSeconds: null, pauseSeconds: null, isGone: false }],
  [301, undefined, 0, { nextInSeconds: 5, pauseSeconds: null, isGone: false }],
  [410, undefined, 0, { nextInSeconds: 5, pauseSeconds: null, isGone: true }],
  [429, '60', 0, { nextInSeconds: 60, pauseSeconds: 60, isGone: false }],
  [429, '1', 1, { nextInSeconds: 300, pauseSeconds: 1, isGone: false }],
  [503, 'Sun, 01 Mar 2026 09:01:00 GMT', 0, { nextInSeconds: 60, pauseSeconds: 60, isGone: false }],
  [503, 'Sun, 01 Mar 2026 08:00:00 GMT', 0, { nextInSeconds: 5, pauseSeconds: 0, isGone: false }],
  [429, 'soon', 0, { nextInSeconds: 5, pauseSeconds: null, isGone: false }],
  [429, '999999999', 0, { nextInSeconds: 86_400, pauseSeconds: 86_400, isGone: false }],
  [500, '60', 0, { nextInSeconds: 5, pauseSeconds: null, isGone: false }],
  [429, '60', 2, { nextInSeconds: null, pauseSeconds: 60, isGone: false }],
])('%s with Retry-After %s after %i failures', (status, retryAfter, attempts, expected) => {
  expect(decide({ status, retryAfter }, at(attempts))).toEqual(expected);
});

test('waits differ by a fifth', () => {
  const wait = (chance: number) =>
    decide({ status: 500, retryAfter: undefined }, at(0, chance))?.nextInSeconds;
  expect([wait(0), wait(1)]).toEqual([4, expect.closeTo(6)]);
});
