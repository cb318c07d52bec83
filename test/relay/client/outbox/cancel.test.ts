import { expect, test } from 'vitest';
import { readDeliveries } from '../../../../relay/client/email/delivery.ts';
import { readEmail } from '../../../../relay/client/email/row.ts';
import { readTimeline } from '../../../../relay/client/email/timeline.ts';
import { cancelEmail } from '../../../../relay/client/outbox/cancel.ts';
import { claimDueEmails } from '../../../../relay/client/outbox/claim.ts';
import { openHandOver } from '../../../../relay/client/outbox/hand-over.ts';
import { handOverClaimed } from '../../../../relay/client/outbox/hand-over-email.ts';
import { startAcceptingRelay } from '../accepting-relay.ts';
import { acceptAs, ampleBudget, inSeconds, insert, silentLog as log, startPostern } from '../postern.ts';

test('mail that waits is cancelled once, and asking again is no error', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { dueAt: inSeconds(60) });
  expect(await cancelEmail(postern.database, id, 'ann')).toEqual({
    outcome: 'cancelled',
    status: 'cancelled',
  });
  expect(await cancelEmail(postern.database, id, 'ann')).toEqual({
    outcome: 'already-cancelled',
    status: 'cancelled',
  });
  expect((await readTimeline(postern.database, id)).slice(1)).toMatchObject([
    { type: 'cancelled', detail: { actor: 'ann' } },
  ]);
});

test('an email that never was cannot be cancelled', async () => {
  await using postern = await startPostern();
  const id = '01900000-0000-7000-8000-000000000000';
  expect(await cancelEmail(postern.database, id, 'ann')).toEqual({ outcome: 'unknown' });
});

test('mail that never had a sender is cancelled as well', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { from: undefined });
  expect(await cancelEmail(postern.database, id, 'ann')).toMatchObject({ outcome: 'cancelled' });
});

test.each([
  [['queued', 'deferred', 'held'], 'cancelled', 'cancelled'],
  [['queued', 'bounced'], 'cancelled', 'bounced'],
  [['cancelled', 'cancelled'], 'already-cancelled', 'cancelled'],
  [['queued', 'sending'], 'too-late', 'sending'],
  [['queued', 'sent'], 'too-late', 'queued'],
  [['queued', 'uncertain'], 'too-late', 'uncertain'],
  [['sent', 'sent'], 'too-late', 'sent'],
  [['bounced'], 'too-late', 'bounced'],
] as const)('a cancel of an email whose recipients are %s answers %s', async (statuses, outcome, status) => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await acceptAs(
    postern,
    id,
    statuses.map((each) => ({ status: each, marked: each === 'uncertain' || each === 'sent' })),
  );
  expect(await cancelEmail(postern.database, id, 'ann')).toEqual({ outcome, status });
  expect(await readEmail(postern.database, id)).toMatchObject({ status });
  const deliveries = await readDeliveries(postern.database, id);
  const expected =
    outcome === 'cancelled' ? statuses.map((s) => (s === 'bounced' ? s : 'cancelled')) : statuses;
  expect(deliveries.map((delivery) => delivery.status)).toEqual(expected);
});

test('mail that may be out is not cancelled, even when it is held by now', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await acceptAs(postern, id, [{ status: 'held', marked: true }]);
  expect(await cancelEmail(postern.database, id, 'ann')).toEqual({ outcome: 'too-late', status: 'held' });
});

test.each(['queued', 'deferred', 'held'])(
  'mail that is %s to be sent a second time is not cancelled',
  async (status) => {
    await using postern = await startPostern();
    const { id } = await insert(postern.database);
    const queueId = await acceptAs(postern, id, [{ status }]);
    await postern.db.query('update recipient set resends = 1 where queue_id = $1', [queueId]);
    expect(await cancelEmail(postern.database, id, 'ann')).toEqual({ outcome: 'too-late', status });
  },
);

test('a cancel and a hand-over at the same time: one wins, and both know which', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const { port, user, password } = relay;
  await using handOver = openHandOver({ host: '127.0.0.1', port, user, password, sessions: 4, log });
  let cancelledFirst = 0;
  for (let round = 0; round < 8; round++) {
    const ids: string[] = [];
    for (let i = 0; i < 10; i++) ids.push((await insert(postern.database, { dueAt: inSeconds(-1) })).id);
    const claimed = await claimDueEmails(postern.database, { limit: 100 });
    const [cancels, results] = await Promise.all([
      Promise.all(ids.map((id) => cancelEmail(postern.database, id, 'ann'))),
      Promise.all(
        claimed.map((email) =>
          handOverClaimed({ database: postern.database, handOver, budget: ampleBudget(), log }, email),
        ),
      ),
    ]);
    for (const [i, id] of ids.entries()) {
      const email = await readEmail(postern.database, id);
      expect(cancels[i]).toEqual({ outcome: 'cancelled', status: 'cancelled' });
      // Nothing sends here, so even mail that the relay took is cancelled; what was cancelled first it refused.
      expect(email?.status).toBe('cancelled');
      const result = results[claimed.findIndex((each) => each.id === id)];
      expect(result?.outcome).toBe(email?.queueId ? 'accepted' : 'refused');
      if (!email?.queueId) cancelledFirst++;
    }
  }
  expect(cancelledFirst).toBeGreaterThan(0);
});
