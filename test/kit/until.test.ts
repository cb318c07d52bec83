import { expect, test } from 'vitest';
import { until } from './until.ts';

test('waits for a condition and returns what it found', async () => {
  let looks = 0;
  expect(await until(() => (++looks < 4 ? undefined : 'found'))).toBe('found');
  expect(looks).toBe(4);
});

test('a condition that throws is asked again', async () => {
  let looks = 0;
  const found = await until(async () => {
    if (++looks < 3) throw new Error('not listening yet');
    return looks;
  });
  expect(found).toBe(3);
});

test('gives up with the words of what it last saw', async () => {
  await expect(until(() => 0, { timeoutMs: 30, what: 'a second message' })).rejects.toThrow(
    'waited 30 ms for a second message; last seen: 0',
  );
  const refused = () => {
    throw new Error('connection refused');
  };
  await expect(until(refused, { timeoutMs: 30 })).rejects.toThrow('thrown: connection refused');
});

test('gives up on a condition that never answers', async () => {
  await expect(until(() => new Promise(() => {}), { timeoutMs: 30 })).rejects.toThrow('it never returned');
});
