// Mail that is claimed in the commit that accepts it: which may be, who may not be passed, and what becomes of it when
// its relay ends.
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import type { Offer } from '../../../relay/policy/offer.ts';
import { commitGroup } from '../../../relay/submission/commit-group.ts';
import type { Submission } from '../../../relay/submission/group.ts';
import { freshDatabase } from '../../kit/database.ts';
import { stall } from '../../kit/provider.ts';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { countByStatus, queueMail, recipientsOf } from '../delivery/way-out.ts';
import { offer, queued, submission } from './offered.ts';
import { logIn, messageWith, submitted } from './submitting.ts';

const captured = { ...queued, status: 'captured' } as const;

async function commit(url: string, group: readonly Submission[], given: Offer | undefined) {
  await using database = openDatabase({ url, applicationName: 'test', max: 1 });
  const outcomes = await commitGroup(database, group, given);
  return outcomes.map((each) => (each.outcome === 'accepted' ? each.handed : each.outcome));
}

test('what was offered is claimed in the same commit, and comes back as a claim would have brought it', async () => {
  await using database = await freshDatabase();
  const mail = submission({
    recipients: [
      { address: 'kept@example.net', ...captured, notify: null, orcpt: null },
      { address: 'bob@example.net', ...queued, notify: 'NEVER', orcpt: null },
    ],
  });
  const given = offer();
  const [handed] = await commit(database.url, [mail], given);
  expect(handed).toMatchObject({
    queueId: mail.queueId,
    token: given.token,
    priority: 1,
    receivedAt: expect.any(Date),
    recipients: [{ ordinal: 1, address: 'bob@example.net', attempts: 0, resends: 0, notify: 'NEVER' }],
    content: mail.content,
  });
  const { rows } = await database.query(
    `select status, claim_token, claimed_by, lease_until > now() + interval '50 seconds' as leased, next_attempt_at
     from recipient where queue_id = $1 order by ordinal`,
    [mail.queueId],
  );
  expect(rows).toEqual([
    { status: 'captured', claim_token: null, claimed_by: null, leased: null, next_attempt_at: null },
    {
      status: 'sending',
      claim_token: given.token,
      claimed_by: given.instance,
      leased: true,
      next_attempt_at: null,
    },
  ]);
});

test('without an offer, without room, or with a sender whom no open lane takes, mail queues', async () => {
  await using database = await freshDatabase();
  const none = [undefined, offer({ room: [9, 0, 9] }), offer({ welcomes: () => false })];
  for (const given of none) expect(await commit(database.url, [submission()], given)).toEqual([undefined]);
  const bulky = Array.from({ length: 101 }, (_, n) => ({
    ...{ address: `r${n}@example.net`, ...queued, notify: null, orcpt: null },
  }));
  expect(await commit(database.url, [submission({ recipients: bulky })], offer())).toEqual([undefined]);
  expect(await countByStatus(database.query)).toEqual({ queued: 104 });
});

test('the room is for those that came first', async () => {
  await using database = await freshDatabase();
  const group = [0, 1, 2].map((at) => submission({ queueId: newQueueId(new Date(1_700_000_000_000 + at)) }));
  const handed = await commit(database.url, group, offer({ room: [0, 2] }));
  expect(handed.map((each) => each !== undefined)).toEqual([true, true, false]);
});

test.each([
  ['that is as urgent', 1, 'now()', undefined],
  ['that is more urgent', 0, 'now()', undefined],
  ['that is less urgent', 2, 'now()', 'handed'],
  ['whose time has not come', 1, "now() + interval '1 hour'", 'handed'],
])('mail that waits %s', async (_, priority, due, expected) => {
  await using database = await freshDatabase();
  await queueMail(database.query, { priority });
  await database.query(`update recipient set status = 'deferred', next_attempt_at = ${due}`);
  const [handed] = await commit(database.url, [submission()], offer());
  expect(handed === undefined ? undefined : 'handed').toBe(expected);
});

/**
 * Four mails to a relay with one connection, which hangs in the first: the others lie ready behind it. A fifth was sent
 * before, so that the relay has its connection when they come.
 */
async function letMailLieReady(stack: Stack): Promise<string[]> {
  await using client = await logIn(stack);
  const submit = (n: number) =>
    submitted(client, messageWith('hello\r\n', [`X-Number: ${n}`]), ['bob@example.net'], stack.provider.user);
  const count = async () => countByStatus(stack.database.query);
  const before = await submit(0);
  await until(async () => (await count()).sent === 1, { what: 'the first mail to be sent' });
  const rule = stack.provider.on('data', stall);
  const ids = [before, await submit(1)];
  await until(() => rule.hits > 0, { what: 'the connection to hang' });
  for (const n of [2, 3, 4]) ids.push(await submit(n));
  expect(await count()).toEqual({ sent: 1, sending: 4 });
  return ids;
}

const oneConnection = {
  processes: ['relay'],
  relay: { SMTP_MAX_CONNECTIONS: '1', SMTP_ALLOWED_SENDERS: '*@example.com' },
} as const;

test('what a relay has taken without a free connection goes back into the queue when it stops', async () => {
  await using stack = await startStack(oneConnection);
  const ids = await letMailLieReady(stack);
  await stack.relay.process.stop();
  // The one that had begun is deferred: the provider was in the middle of it.
  expect(await countByStatus(stack.database.query)).toEqual({ sent: 1, deferred: 1, queued: 3 });
  stack.provider.behave();
  await stack.relay.start();
  await until(async () => (await countByStatus(stack.database.query)).sent === 5, { timeoutMs: 60_000 });
  expect(stack.provider.copiesOf('<1@example.com>')).toHaveLength(5);
  for (const id of ids) {
    const [recipient] = await recipientsOf(stack.database.query, id);
    expect(recipient?.resends).toBe(0);
  }
}, 180_000);

test('what a killed relay had taken goes on when its lease has run out', async () => {
  await using stack = await startStack(oneConnection);
  await letMailLieReady(stack);
  stack.relay.process.kill('SIGKILL');
  await stack.relay.process.exited;
  stack.provider.behave();
  await stack.relay.start();
  // Nothing lay ready when the first began, so that it was not marked early.
  await until(async () => (await countByStatus(stack.database.query)).sent === 5, { timeoutMs: 60_000 });
  expect(stack.provider.copiesOf('<1@example.com>')).toHaveLength(5);
}, 180_000);
