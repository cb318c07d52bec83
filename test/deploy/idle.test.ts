import { expect, test, vi } from 'vitest';
import { listenHealth } from '../../deploy/health.ts';
import { openKnocker } from '../../deploy/knock.ts';
import { openLog } from '../../deploy/log.ts';
import { everyWhileAwake, openSleep } from '../../deploy/sleep.ts';
import { freePort } from '../kit/ports.ts';
import { until } from '../kit/until.ts';

const log = openLog('worker', 'silent');

function sleeper(fallAsleep: () => Promise<number | undefined>) {
  const stirred = vi.fn();
  return { stirred, sleep: openSleep({ afterMs: 20, fallAsleep, stirred, log }) };
}

const day = 86_400_000;

test('a process sleeps when nothing has happened, and wakes when it is used; only then it tells the others', async () => {
  const { sleep, stirred } = sleeper(async () => day);
  await using _ = sleep;
  await until(() => sleep.isAsleep, { what: 'it to sleep' });
  sleep.knocked();
  expect(sleep.isAsleep).toBe(false);
  expect(stirred).not.toHaveBeenCalled();
  await until(() => sleep.isAsleep, { what: 'it to sleep again' });
  sleep.stir();
  expect(sleep.isAsleep).toBe(false);
  expect(stirred).toHaveBeenCalledOnce();
});

test('it wakes by itself when the next thing is due', async () => {
  const wakings: boolean[] = [];
  const { sleep, stirred } = sleeper(async () => (wakings.length === 0 ? 30 : undefined));
  await using _ = sleep;
  sleep.onChange((isAsleep) => wakings.push(isAsleep));
  await until(() => wakings.length === 2, { what: 'it to sleep and to wake' });
  expect(wakings).toEqual([true, false]);
  expect(stirred).toHaveBeenCalledOnce();
});

test('it does not sleep while there is a reason to be awake, or when it may not', async () => {
  const asked = vi.fn(async () => undefined);
  const { sleep } = sleeper(asked);
  await using _ = sleep;
  const reason = sleep.stayAwake();
  const others = sleeper(async () => day);
  await using __ = others.sleep;
  // The other one has had the time by then.
  await until(() => others.sleep.isAsleep, { what: 'the other one to sleep' });
  expect(asked).not.toHaveBeenCalled();
  reason[Symbol.dispose]();
  await until(() => asked.mock.calls.length > 1, { what: 'it to ask again and again' });
  expect(sleep.isAsleep).toBe(false);
});

test('what happens while it asks whether it may sleep keeps it awake, and is done', async () => {
  const may = Promise.withResolvers<number>();
  let asked = 0;
  const { sleep } = sleeper(() => (asked++ === 0 ? may.promise : Promise.resolve(undefined)));
  await using _ = sleep;
  const turns = vi.fn(async () => {});
  const repeating = everyWhileAwake(sleep, day, turns, { first: 'after a pause' });
  await until(() => asked === 1, { what: 'it to ask' });
  sleep.stir();
  may.resolve(day);
  await until(() => turns.mock.calls.length === 1, { what: 'it to say that it is awake' });
  expect(sleep.isAsleep).toBe(false);
  await repeating.stop();
});

test('while it sleeps nothing is done by the clock, and all of it at once when it wakes', async () => {
  const { sleep } = sleeper(async () => day);
  await using _ = sleep;
  let asleepTurns = 0;
  let turns = 0;
  const repeating = everyWhileAwake(sleep, 1, async () => {
    turns++;
    if (sleep.isAsleep) asleepTurns++;
  });
  await until(() => sleep.isAsleep, { what: 'it to sleep' });
  const before = turns;
  const awake = sleep.untilAwake();
  sleep.knocked();
  await awake;
  await until(() => turns > before, { what: 'the next turn' });
  expect(asleepTurns).toBe(0);
  await repeating.stop();
});

test('a knock that nobody answers is repeated until somebody does', async () => {
  const port = await freePort();
  const changed = vi.fn();
  using knocker = openKnocker([{ name: 'worker', host: '127.0.0.1', port }], { everyMs: 1, log, changed });
  expect(knocker.isAnswered).toBe(false);
  const knocked = vi.fn();
  await using _ = await listenHealth({
    port,
    bind: '127.0.0.1',
    log,
    ready: async () => ({ ready: true }),
    knocked,
  });
  await until(() => knocker.isAnswered, { what: 'an answer' });
  expect(changed).toHaveBeenCalledOnce();
  const before = knocked.mock.calls.length;
  expect(before).toBeGreaterThan(0);
  await until(
    () => {
      knocker.knock();
      return knocked.mock.calls.length > before;
    },
    { what: 'the next knock' },
  );
});
