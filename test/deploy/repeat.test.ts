import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { every } from '../../deploy/repeat.ts';
import { until } from '../kit/until.ts';

test('a turn that hangs is waited for: the next ones do not pile up behind it', async () => {
  const hanging = Promise.withResolvers<void>();
  let begun = 0;
  let ended = 0;
  const repeating = every(1, async () => {
    begun++;
    if (begun === 3) await hanging.promise;
    ended++;
  });
  await until(() => begun === 3, { what: 'the turn that hangs' });
  // More turns of the event loop than there were pauses before.
  for (let turns = 0; turns < 2_000; turns++) await turn();
  expect([begun, ended]).toEqual([3, 2]);
  hanging.resolve();
  await until(() => ended > 4, { what: 'it to go on' });
  await repeating.stop();
});

test('stopping waits for the turn under way, and none begins afterwards', async () => {
  const underWay = Promise.withResolvers<void>();
  let begun = 0;
  const repeating = every(1, async () => {
    begun++;
    await underWay.promise;
  });
  let isStopped = false;
  const stopped = repeating.stop().then(() => {
    isStopped = true;
  });
  await turn();
  expect(isStopped).toBe(false);
  underWay.resolve();
  await stopped;
  expect(begun).toBe(1);
});

test('the first turn can be left for after a pause, and then stopping ends it before it begins', async () => {
  let begun = 0;
  const repeating = every(60_000, async () => void begun++, { first: 'after a pause' });
  await repeating.stop();
  expect(begun).toBe(0);
});

test('a turn can be asked for at once, and after the one under way', async () => {
  const underWay = Promise.withResolvers<void>();
  let begun = 0;
  const repeating = every(
    () => undefined,
    async () => {
      begun++;
      if (begun === 2) await underWay.promise;
    },
  );
  await turn();
  expect(begun).toBe(1);
  repeating.now();
  repeating.now();
  await turn();
  expect(begun).toBe(2);
  underWay.resolve();
  await until(() => begun === 3, { what: 'the turn that was asked for meanwhile' });
  for (let turns = 0; turns < 100; turns++) await turn();
  expect(begun).toBe(3);
  await repeating.stop();
});

test('the next turn can be brought forward, and is never put off', async () => {
  let begun = 0;
  const repeating = every(60_000, async () => void begun++);
  await turn();
  repeating.within(600_000);
  repeating.within(5);
  await until(() => begun === 2, { what: 'the turn that was brought forward' });
  repeating.within(600_000);
  repeating.now();
  await turn();
  expect(begun).toBe(3);
  await repeating.stop();
});

test('a turn that is brought forward during another one follows it', async () => {
  const underWay = Promise.withResolvers<void>();
  let begun = 0;
  const repeating = every(60_000, async () => {
    begun++;
    if (begun === 1) await underWay.promise;
  });
  repeating.within(1);
  underWay.resolve();
  await until(() => begun === 2, { what: 'the turn that was brought forward' });
  await repeating.stop();
});
