// What relays agree on about a provider's credential: who may ask it, and when held mail goes on.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { leaseSlots } from '../../../relay/delivery/lanes/share.ts';
import { releaseLifted } from '../../../relay/delivery/queue/lifted-holds.ts';
import { announceLanes, closeLane, openLane, readLanes, takeProbe } from '../../../relay/lane-state/lanes.ts';
import {
  holdSender,
  liftHold,
  liftHoldsOfForeignLanes,
  takeSenderProbe,
} from '../../../relay/lane-state/sender-holds.ts';
import { takeAuth } from '../../../relay/lane-state/sign-in.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { queueMail, recipientsOf } from '../delivery/way-out.ts';

const lane = 'SMTP mail.example.com app@example.com 1a2b';
const otherLane = 'SMTP2 mail.example.net app@example.net 3c4d';
const sender = 'boss@example.com';
const cause = 'sender-not-owned';
const { signal } = new AbortController();

type Lanes = AsyncDisposable & { readonly given: TestDatabase; readonly database: Database };

async function twoLanes(): Promise<Lanes> {
  const resources = new AsyncDisposableStack();
  const given = resources.use(await freshDatabase());
  const database = resources.use(openDatabase({ url: given.url, applicationName: 'test', max: 4 }));
  await announceLanes(database, [
    { key: lane, name: 'SMTP', routes: [] },
    { key: otherLane, name: 'SMTP2', routes: [] },
  ]);
  return { given, database, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

const stop = (database: Database, more: { cause?: string; isProbe?: boolean; untilSeconds?: number } = {}) =>
  closeLane(database, lane, {
    state: 'stopped',
    cause: 'auth-bad-credentials',
    detail: '535 no',
    probeMs: [60_000, 600_000],
    isProbe: false,
    ...more,
  });

const hold = (database: Database, on = lane, more: { sender?: string; cause?: string } = {}) =>
  holdSender(database, on, {
    sender,
    cause,
    detail: '553 no',
    stage: 'mail',
    probeMs: [0, 0],
    isProbe: false,
    ...more,
  });

const heldMail = (given: TestDatabase, reason = cause) =>
  queueMail(given.query, { from: sender, status: 'held', reason });

const statusOf = async ({ query }: TestDatabase, { queueId }: { queueId: string }) =>
  (await recipientsOf(query, queueId))[0]?.status;

const probesInSeconds = async ({ query }: TestDatabase): Promise<number> => {
  const { rows } = await query<{ seconds: number }>(
    'select extract(epoch from next_probe_at - now())::float8 as seconds from lane where key = $1',
    [lane],
  );
  return rows[0]?.seconds ?? 0;
};

test('one relay probes a closed lane when its time has come; an open one is not probed', async () => {
  await using lanes = await twoLanes();
  const { database, given } = lanes;
  expect(await takeProbe(database, lane, 60_000)).toBeUndefined();
  expect(await stop(database)).toBe(true);
  expect(await takeProbe(database, lane, 60_000)).toBeUndefined();
  await given.query('update lane set next_probe_at = now() where key = $1', [lane]);
  const took = await Promise.all([1, 2, 3].map(() => takeProbe(database, lane, 60_000)));
  expect(took.filter((state) => state === 'stopped')).toHaveLength(1);
});

test('of a lane that is known to be closed others make no news and no later probe; who probed it does', async () => {
  await using lanes = await twoLanes();
  const { database, given } = lanes;
  expect(await stop(database)).toBe(true);
  const first = await probesInSeconds(given);
  for (let i = 0; i < 3; i++) expect(await stop(database)).toBe(false);
  expect(await probesInSeconds(given)).toBeLessThanOrEqual(first);
  expect(await stop(database, { isProbe: true })).toBe(false);
  expect(await probesInSeconds(given)).toBeGreaterThan(first * 1.5);
  expect(await probesInSeconds(given)).toBeLessThan(first * 2.5);
  expect(await stop(database, { cause: 'account-suspended' })).toBe(true);
  expect(await openLane(database, lane)).toBe(true);
  expect(await openLane(database, lane)).toBe(false);
});

test('nobody signs in on a lane that was closed meanwhile, except the probe', async () => {
  await using lanes = await twoLanes();
  const { database } = lanes;
  await stop(database);
  const instance = randomUUID();
  expect(await takeAuth(database, lane, { instance, isProbe: false })).toBe('closed');
  expect(await takeAuth(database, lane, { instance, isProbe: true })).toBe('granted');
  expect(await takeAuth(database, lane, { instance: randomUUID(), isProbe: true })).toBe('busy');
});

test('one mail of a held sender at a time is the probe, and the one that a person tried again goes first', async () => {
  await using lanes = await twoLanes();
  const { database, given } = lanes;
  await hold(database);
  const probe = (queueId?: string) =>
    takeSenderProbe(database, lane, { sender, leaseMs: 60_000, ...(queueId && { queueId }) });
  expect(await probe()).toBe(true);
  expect(await probe()).toBe(false);

  const asked = await queueMail(given.query, { from: sender });
  await given.query('update sender_hold set next_probe_at = now(), asked_for = $1', [asked.queueId]);
  expect(await probe()).toBe(false);
  expect(await probe('another')).toBe(false);
  expect(await probe(asked.queueId)).toBe(true);

  await liftHold(database, lane, sender);
  await given.query('update sender_hold set next_probe_at = now()');
  expect(await probe()).toBe(false);
});

test('when a sender is free its held mail goes on, but none that may be out and none held for another reason', async () => {
  await using lanes = await twoLanes();
  const { database, given } = lanes;
  await hold(database);
  const waits = await heldMail(given);
  const mayBeOut = await heldMail(given);
  await given.query('update recipient set marked_at = now() where queue_id = $1', [mayBeOut.queueId]);
  const restored = await heldMail(given, 'database-restored');
  const stranger = await queueMail(given.query, { from: 'ann@example.com', status: 'held', reason: cause });
  expect(await releaseLifted(database, { signal })).toBe(0);

  await liftHold(database, lane, sender);
  expect(await releaseLifted(database, { signal })).toBe(1);
  expect(await statusOf(given, waits)).toBe('queued');
  for (const mail of [mayBeOut, restored, stranger]) expect(await statusOf(given, mail)).toBe('held');
});

test('mail of a sender whom another provider still refuses stays held', async () => {
  await using lanes = await twoLanes();
  const { database, given } = lanes;
  await hold(database, lane);
  await hold(database, otherLane);
  const mail = await heldMail(given);
  await liftHold(database, lane, sender);
  expect(await releaseLifted(database, { signal })).toBe(0);
  await liftHold(database, otherLane, sender);
  expect(await releaseLifted(database, { signal })).toBe(1);
  expect(await statusOf(given, mail)).toBe('queued');
});

test('the holds of a credential end with its last relay, not while another still uses it', async () => {
  await using lanes = await twoLanes();
  const { database, given } = lanes;
  await hold(database, otherLane);
  const slot = { lane: otherLane, instance: randomUUID(), total: 1, wanted: 1, inUse: 0, leaseMs: 60_000 };
  expect(await leaseSlots(database, slot)).toBe(1);
  const isHeld = async () => (await readLanes(database, [otherLane]))[0]?.heldSenders.length === 1;
  await liftHoldsOfForeignLanes(database, [lane]);
  expect(await isHeld()).toBe(true);
  await given.query("update connection_slot set lease_until = now() - interval '1 second'");
  await liftHoldsOfForeignLanes(database, [lane, otherLane]);
  expect(await isHeld()).toBe(true);
  await liftHoldsOfForeignLanes(database, [lane]);
  expect(await isHeld()).toBe(false);
});

test('relays never lease more connections than there are, and take those of one that is gone', async () => {
  await using lanes = await twoLanes();
  const { database, given } = lanes;
  const lease = (instance: string, wanted: number, inUse = 0) =>
    leaseSlots(database, { lane, instance, total: 5, wanted, inUse, leaseMs: 60_000 });
  const [one, two] = [randomUUID(), randomUUID()];
  const both = await Promise.all([lease(one, 4), lease(two, 4)]);
  expect((both[0] ?? 0) + (both[1] ?? 0)).toBeLessThanOrEqual(5);
  expect((await lease(one, 4)) + (await lease(two, 4))).toBe(5);

  // What a mail is on cannot be left yet.
  const used = await lease(one, 0, 2);
  expect(used).toBe(2);
  expect(await lease(two, 5)).toBe(3);
  await given.query(
    "update connection_slot set lease_until = now() - interval '1 second' where instance = $1",
    [one],
  );
  expect(await lease(two, 5)).toBe(5);
  expect(await lease(one, 2)).toBe(0);
});
