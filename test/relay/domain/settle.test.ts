import { expect, test } from 'vitest';
import type { Result } from '../../../relay/domain/finding.ts';
import { settle } from '../../../relay/domain/settle.ts';

/** Looks one after the other; what was told after each. */
function follow(results: readonly Result[]): string[] {
  let before: { result: Result | null; settled: Result | null } = { result: null, settled: null };
  return results.map((result) => {
    const { settled, hasChanged, nextInSeconds } = settle(before, result);
    before = { result, settled };
    return `${hasChanged ? `told ${settled}` : '-'}, next in ${nextInSeconds / 60} min`;
  });
}

test.each<[string, Result[], string[]]>([
  [
    'the first looks',
    ['pass', 'pass', 'pass'],
    ['-, next in 10 min', 'told pass, next in 1440 min', '-, next in 1440 min'],
  ],
  [
    'one bad look',
    ['pass', 'pass', 'fail', 'pass'],
    ['-, next in 10 min', 'told pass, next in 1440 min', '-, next in 10 min', '-, next in 1440 min'],
  ],
  [
    'two bad looks',
    ['pass', 'pass', 'fail', 'fail'],
    ['-, next in 10 min', 'told pass, next in 1440 min', '-, next in 10 min', 'told fail, next in 1440 min'],
  ],
  [
    'no answer between',
    ['fail', 'unknown', 'fail', 'fail'],
    ['-, next in 10 min', '-, next in 10 min', '-, next in 10 min', 'told fail, next in 1440 min'],
  ],
  [
    'no answer for long',
    ['unknown', 'unknown', 'unknown'],
    ['-, next in 10 min', '-, next in 360 min', '-, next in 360 min'],
  ],
])('%s', (_, results, told) => {
  expect(follow(results)).toEqual(told);
});
