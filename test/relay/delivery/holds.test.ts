// A held sender is held until the provider takes it again, and no longer: a probe, a person's retry, a test mail or the
// doctor finds out, and then all of its mail leaves.
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { releaseHeld } from '../../../relay/client/outbox/release.ts';
import { retryEmail } from '../../../relay/client/outbox/retry.ts';
import { usualTimeouts } from '../../../relay/delivery/timeouts.ts';
import { announceLanes } from '../../../relay/lane-state/lanes.ts';
import { holdSender, senderWasTaken } from '../../../relay/lane-state/sender-holds.ts';
import { freshDatabase } from '../../kit/database.ts';
import { type Moment, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import {
  countByStatus,
  environmentFor,
  eventsOf,
  openWayOut,
  queueMail,
  queueMails,
  settled,
} from './way-out.ts';

const boss = 'boss@example.com';
const notOwned = `553 5.7.1 <${boss}>: Sender address rejected: not owned by user mailer@example.com`;
const isBoss = ({ command }: Moment) => command.includes(`<${boss}>`);
const isFromBoss = ({ envelope }: Moment) => envelope.sender === boss;
const fromBoss = (count: number) => Array.from({ length: count }, () => ({ from: boss }));
/** Nobody waits for a probe in these tests but the one that asks for it. */
const rarely = { senderProbeMs: [600_000, 6_000_000] } as const;

const allHeld = (query: Parameters<typeof countByStatus>[0], count: number) =>
  until(async () => (await countByStatus(query)).held === count, { what: `${count} to be held` });
const allSent = (query: Parameters<typeof countByStatus>[0], count: number) =>
  until(async () => (await countByStatus(query)).sent === count, {
    what: `${count} to be sent`,
    timeoutMs: 30_000,
  });

test('refusals of one sender at the same time are one refusal, and the time of the next probe is told', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const refusals = provider.on('mail', notOwned, { when: isBoss });
  await queueMails(database.query, fromBoss(40));
  await using wayOut = await openWayOut(database.url, environmentFor(provider), rarely);
  await allHeld(database.query, 40);
  expect(refusals.hits).toBeGreaterThan(0);

  const { rows } = await database.query(
    `select probe_failures, extract(epoch from next_probe_at - since)::float8 as wait from sender_hold`,
  );
  expect(rows).toEqual([{ probe_failures: 0, wait: 600 }]);
  const told = await until(() => {
    const [hold] = wayOut.delivery.report().lanes[0]?.held_senders ?? [];
    return hold?.next_probe_at ? hold : undefined;
  });
  expect(new Date(told.next_probe_at ?? 0).getTime()).toBeGreaterThan(Date.now() + 500_000);
}, 60_000);

test('a probe that is refused makes the wait until the next one longer', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const refusals = provider.on('mail', notOwned, { when: isBoss });
  await queueMails(database.query, fromBoss(2));
  await using _ = await openWayOut(database.url, environmentFor(provider), { senderProbeMs: [200, 60_000] });
  const [waits] = await until(
    async () => {
      const { rows } = await database.query<{ together: number }>(
        `select extract(epoch from next_probe_at - since)::float8 as together from sender_hold where probe_failures >= 2`,
      );
      return rows.length > 0 && rows;
    },
    { what: 'two probes to be refused' },
  );
  expect(refusals.hits).toBeGreaterThanOrEqual(3);
  // 0.2, 0.4 and 0.8 seconds, whenever we look.
  expect(waits?.together).toBeGreaterThanOrEqual(1.4);
});

test.each([
  ['45 seconds in its first six hours', '5 hours', 45],
  ['30 minutes after that', '7 hours', 1800],
])('the provider is asked again at the latest after %s', async (_name, age, wait) => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  await announceLanes(opened, [{ key: 'lane', name: 'SMTP', routes: [] }]);
  const refused = (isProbe: boolean) =>
    holdSender(opened, 'lane', {
      sender: boss,
      cause: 'sender-not-owned',
      detail: notOwned,
      stage: 'mail',
      probeMs: usualTimeouts.senderProbeMs,
      isProbe,
    });
  await refused(false);
  await opened.query('update sender_hold set probe_failures = 10, since = now() - $1::interval', [age]);
  await refused(true);
  const { rows } = await opened.query<{ wait: number }>(
    'select round(extract(epoch from next_probe_at - now()))::integer as wait from sender_hold',
  );
  expect(Math.abs((rows[0]?.wait ?? 0) - wait)).toBeLessThanOrEqual(5);
});

test('a sender that is refused for one cause and then for another is held for both', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  await announceLanes(opened, [{ key: 'lane', name: 'SMTP', routes: [] }]);
  for (const cause of ['sender-not-owned', 'sender-domain-not-verified', 'sender-not-owned']) {
    await holdSender(opened, 'lane', {
      ...{ sender: boss, cause, detail: notOwned, stage: 'mail', isProbe: false },
      probeMs: [1_000, 60_000],
    });
  }
  const { rows } = await opened.query<{ causes: string[] }>('select causes from sender_hold');
  expect(rows[0]?.causes.sort()).toEqual(['sender-domain-not-verified', 'sender-not-owned']);
});

test("a person's retry asks the provider at once; refused again it says so, taken it frees all of the sender", async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using client = openDatabase({ url: database.url, applicationName: 'test client' });
  const rule = provider.on('mail', notOwned, { when: isBoss });
  const email = await client.transaction((tx) =>
    insertEmail(tx, {
      kind: 'single',
      from: { address: boss },
      recipients: [{ kind: 'to', address: 'ann@example.org' }],
      subject: 'Hello',
      text: 'Hello',
    }),
  );
  const { queueId } = await queueMail(database.query, { from: boss, emailId: email.id });
  await database.query(
    `update email set queue_id = $2, accepted_at = now(), status = 'queued', next_hand_over_at = null where id = $1`,
    [email.id, queueId],
  );
  await queueMails(database.query, fromBoss(60));
  await using _ = await openWayOut(database.url, environmentFor(provider), rarely);
  await allHeld(database.query, 61);
  // Two refusals of one sender may have two causes; both are over when it is taken again.
  await database.query(
    `update recipient set reason = 'sender-domain-not-verified' where queue_id = (
       select max(queue_id) from recipient where queue_id <> $1)`,
    [queueId],
  );
  await database.query(`update sender_hold set causes = causes || 'sender-domain-not-verified'::text`);

  const before = rule.hits;
  expect(await retryEmail(client, email.id, 'somebody')).toMatchObject({ outcome: 'retried' });
  await until(() => rule.hits > before, { what: 'the provider to be asked', timeoutMs: 5_000 });
  await settled(database.query, queueId, ['held'], 5_000);
  const events = await eventsOf(database.query, queueId);
  const told = events.slice(events.findIndex(({ type }) => type === 'requeued')).map(({ type }) => type);
  expect(told).toEqual(['requeued', 'attempt', 'held']);
  expect(events.at(-1)?.detail).toMatchObject({ cause: 'sender-not-owned', reply: notOwned });

  rule.remove();
  expect(await retryEmail(client, email.id, 'somebody')).toMatchObject({ outcome: 'retried' });
  await allSent(database.query, 61);
}, 60_000);

test('a release of everything that is held for a reason is a probe as well', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using client = openDatabase({ url: database.url, applicationName: 'test client' });
  const rule = provider.on('rcpt', notOwned, { when: isFromBoss });
  await queueMails(database.query, fromBoss(20));
  await using _ = await openWayOut(database.url, environmentFor(provider), rarely);
  await allHeld(database.query, 20);
  rule.remove();
  await client.transaction((tx) => releaseHeld(tx, 'sender-not-owned', 'somebody'));
  await allSent(database.query, 20);
}, 60_000);

test('a probe whose recipient does not exist has shown that the sender is taken', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const rule = provider.on('mail', notOwned, { when: isBoss });
  const gone = await queueMail(database.query, { from: boss, to: ['gone@example.org'] });
  await using wayOut = await openWayOut(database.url, environmentFor(provider), rarely);
  await settled(database.query, gone.queueId, ['held']);
  provider.on('rcpt', '550 5.1.1 <gone@example.org>: no such user', {
    when: ({ recipient }) => recipient === 'gone@example.org',
  });
  rule.remove();
  await database.query('update sender_hold set next_probe_at = now()');
  await settled(database.query, gone.queueId, ['bounced']);
  await until(() => wayOut.delivery.report().lanes[0]?.held_senders.length === 0, {
    what: 'the hold to be lifted',
  });
});

test('the doctor who is taken at the stage that refused lifts the hold; after a later refusal a mail finds out', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using client = openDatabase({ url: database.url, applicationName: 'test client' });
  const atMail = provider.on('mail', notOwned, { when: isBoss });
  const atDot = provider.on(
    'dot',
    '550 5.7.60 SMTP; Client does not have permissions to send as this sender',
    {
      when: ({ envelope }) => envelope.sender === 'shop@example.com',
    },
  );
  await queueMails(database.query, [...fromBoss(10), { from: 'shop@example.com' }]);
  await using _ = await openWayOut(database.url, environmentFor(provider), rarely);
  await allHeld(database.query, 11);
  const { rows } = await database.query<{ lane: string }>('select key as lane from lane');
  const lane = rows[0]?.lane ?? '';

  atMail.remove();
  expect(await senderWasTaken(client, lane, { sender: 'BOSS@example.com', taken: ['mail', 'rcpt'] })).toBe(
    true,
  );
  await allSent(database.query, 10);

  // A yes to MAIL says nothing about a refusal at the dot: the hold stays, and one mail asks.
  const before = atDot.hits;
  expect(await senderWasTaken(client, lane, { sender: 'shop@example.com', taken: ['mail', 'rcpt'] })).toBe(
    false,
  );
  await until(() => atDot.hits > before, { what: 'a mail to ask' });
  await until(async () => (await countByStatus(database.query)).held === 1, { what: 'it to be held again' });
  atDot.remove();
  await senderWasTaken(client, lane, { sender: 'shop@example.com', taken: ['mail', 'rcpt'] });
  await allSent(database.query, 11);
}, 60_000);
