import { expect, test, vi } from 'vitest';
import { takeTurn } from '../../deploy/turn.ts';

test('who has much to do goes on in the order of asking, and others are served between any two steps', async () => {
  const story: (number | 'others')[] = [];
  let isOver = false;
  const serveOthers = () => {
    story.push('others');
    if (!isOver) setImmediate(serveOthers);
  };
  setImmediate(serveOthers);
  const work = async (name: number) => {
    for (let step = 0; step < 3; step++) {
      await takeTurn();
      story.push(name);
      const began = performance.now();
      while (performance.now() - began < 20);
    }
  };
  await Promise.all([work(1), work(2), work(3)]);
  isOver = true;
  const steps = story.filter((each) => each !== 'others');
  expect(steps).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
  for (const [index, each] of story.entries()) {
    if (each !== 'others' && index > 0) expect(story[index - 1]).toBe('others');
  }
});

test('who has little to do does not wait for another round', async () => {
  let rounds = 0;
  const count = () => {
    rounds++;
    immediate = setImmediate(count);
  };
  await new Promise((resolve) => setImmediate(resolve));
  let immediate = setImmediate(count);
  // So little that no time passes, also where a busy machine stops us between the two.
  using _ = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  await takeTurn();
  await takeTurn();
  clearImmediate(immediate);
  expect(rounds).toBe(0);
});
