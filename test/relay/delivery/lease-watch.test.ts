import { expect, test } from 'vitest';
import { watchLeases } from '../../../relay/delivery/queue/lease-watch.ts';

const leaseMs = 1_000;

/** A relay that was started at 0 and has renewed its leases at the given times. */
function relay() {
  let now = 0;
  const watch = watchLeases(leaseMs, () => now);
  return {
    at(ms: number) {
      now = ms;
      return watch;
    },
  };
}

test('nobody is judged in the first lease after the start', () => {
  const { at } = relay();
  at(900).renewed(900);
  expect(at(1_000).mayReap()).toBe(false);
  expect(at(1_001).mayReap()).toBe(true);
});

test('nobody is judged for the time of a lease after the database did not answer', () => {
  const { at } = relay();
  at(5_000).databaseWasAway();
  at(5_900).renewed(5_900);
  expect(at(6_000).mayReap()).toBe(false);
  expect(at(6_001).mayReap()).toBe(true);
});

test('who could not renew its own leases in time, frozen or cut off, judges nobody', () => {
  const { at } = relay();
  at(5_000).renewed(5_000);
  expect(at(5_599).mayReap()).toBe(true);
  expect(at(5_600).mayReap()).toBe(false);
  expect(at(60_000).mayReap()).toBe(false);
  // What counts is when the renewal began: its answer may have been on the way for long.
  at(60_000).renewed(59_000);
  expect(at(60_000).mayReap()).toBe(false);
});
