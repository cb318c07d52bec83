// The worker's look at the outbox, with a relay that answers when the test says so and a clock that the test sets.
import { expect, test } from 'vitest';
import { openHandOver } from '../../relay/client/outbox/hand-over.ts';
import { nextDueInMs } from '../../relay/client/outbox/outbox.ts';
import { startDrain } from '../../worker/drain.ts';
import { until } from '../kit/until.ts';
import { type AcceptingRelay, startAcceptingRelay } from '../relay/client/accepting-relay.ts';
import {
  ampleBudget,
  inSeconds,
  insert,
  silentLog as log,
  startPostern,
  type TestPostern,
} from '../relay/client/postern.ts';

type Clock = { aheadMs: number };

/** One email at a time, and no look but those that the test asks for. */
function drainOf({ database }: TestPostern, { port, user, password }: AcceptingRelay, clock: Clock) {
  const handOver = openHandOver({ host: '127.0.0.1', port, user, password, sessions: 1, log });
  const drain = startDrain(
    { database, handOver, budget: ampleBudget(), log },
    {
      concurrency: 1,
      pollIntervalMs: 3_600_000,
      signal: new AbortController().signal,
      now: () => performance.now() + clock.aheadMs,
    },
  );
  return {
    drain,
    async [Symbol.asyncDispose]() {
      await drain[Symbol.asyncDispose]();
      await handOver[Symbol.asyncDispose]();
    },
  };
}

/** The first of `count` emails is at the relay, which has not answered; all of them are claimed. */
async function claimedBehindOne(count: number, postern: TestPostern, relay: AcceptingRelay, clock: Clock) {
  for (let i = 0; i < count; i++) await insert(postern.database, { dueAt: inSeconds(-count + i) });
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
  relay.before = () => mayAnswer;
  const resource = drainOf(postern, relay, clock);
  await until(() => relay.connections === 1, { what: 'the first hand-over' });
  await until(async () => (await attemptsIn(postern)).every((attempts) => attempts === 1), {
    what: 'all emails to be claimed',
  });
  return { ...resource, answer };
}

const attemptsIn = async ({ db }: TestPostern) => {
  const { rows } = await db.query<{ attempts: number }>(
    'select hand_over_attempts as attempts from email order by due_at',
  );
  return rows.map(({ attempts }) => attempts);
};

test('no hand-over begins when its lease may end before the relay has answered', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const clock = { aheadMs: 0 };
  await using work = await claimedBehindOne(3, postern, relay, clock);
  // A lease of 20 seconds: after 8 there may be too little of it left.
  clock.aheadMs = 8_500;
  work.answer();
  await work.drain.wake();
  expect(relay.taken).toHaveLength(1);
  expect(await attemptsIn(postern)).toEqual([1, 1, 1]);

  // Whoever claims them when their leases have run out hands them over, this worker as well.
  await postern.db.query("update email set next_hand_over_at = now() where status = 'pending'");
  await work.drain.wake();
  expect(relay.taken).toHaveLength(3);
  expect(await attemptsIn(postern)).toEqual([1, 2, 2]);
});

test('a hand-over begins while its lease lasts long enough', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const clock = { aheadMs: 0 };
  await using work = await claimedBehindOne(2, postern, relay, clock);
  clock.aheadMs = 3_000;
  work.answer();
  await work.drain.wake();
  expect(relay.taken).toHaveLength(2);
});

test('a worker that stops finishes what it has begun and gives back the rest', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using work = await claimedBehindOne(3, postern, relay, { aheadMs: 0 });
  const stopped = work.drain[Symbol.asyncDispose]();
  work.answer();
  await stopped;
  expect(relay.taken).toHaveLength(1);
  expect(await attemptsIn(postern)).toEqual([1, 0, 0]);
  expect(await nextDueInMs(postern.database)).toBeLessThanOrEqual(0);
});
