// Whether the final dot may leave: only under a fresh mark of a claim that is still ours.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { fenceOf } from '../../../relay/delivery/attempt/fence.ts';
import { claimDueMail } from '../../../relay/delivery/queue/claim.ts';
import { type Marked, openMarks } from '../../../relay/delivery/queue/marks.ts';
import type { ClaimedMail } from '../../../relay/policy/claimed-mail.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { until } from '../../kit/until.ts';
import { queueMail, recipientsOf } from './way-out.ts';

const ann = 'ann@example.org';
const bob = 'bob@example.org';
const markMs = 60_000;

type Situation = AsyncDisposable & {
  readonly given: TestDatabase;
  readonly database: Database;
  readonly mail: ClaimedMail;
  readonly stopping: AbortController;
  /** Marks that are in the database, and what left under one. */
  readonly marked: Marked[];
  readonly passed: string[];
};

/** A claimed mail whose data is at the provider, but for the final dot. */
async function beforeTheDot(): Promise<Situation> {
  const resources = new AsyncDisposableStack();
  const given = resources.use(await freshDatabase());
  const database = resources.use(openDatabase({ url: given.url, applicationName: 'test', max: 2 }));
  await queueMail(given.query, { to: [ann, bob] });
  const [mail] = await claimDueMail(database, { instance: randomUUID(), leaseMs: 60_000, limit: 10 });
  if (!mail) throw new Error('not claimed');
  return {
    given,
    database,
    mail,
    stopping: new AbortController(),
    marked: [],
    passed: [],
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const fence = (
  { database, mail, stopping, marked, passed }: Situation,
  more: { markMs?: number; isEarly?: boolean; now?: () => number } = {},
) =>
  fenceOf({
    mail,
    batch: mail.recipients,
    marks: openMarks(database),
    markMs,
    stopping: stopping.signal,
    isEarly: false,
    marked: (mark) => marked.push(mark),
    passed: () => passed.push('dot'),
    ...more,
  });

const markedIn = async ({ given, mail }: Situation) =>
  (await recipientsOf(given.query, mail.queueId)).map(({ markedAt }) => markedAt !== null);

test('the dot leaves under a mark of those whom the provider took, and of nobody else', async () => {
  await using situation = await beforeTheDot();
  expect(await fence(situation).pass([bob])).toEqual({ pass: true });
  expect(situation.passed).toHaveLength(1);
  expect(await markedIn(situation)).toEqual([false, true]);
});

test('no dot leaves under a mark that is too old', async () => {
  await using situation = await beforeTheDot();
  const frozen = () => performance.now() + markMs + 1;
  expect(await fence(situation, { now: frozen }).pass([ann])).toEqual({
    pass: false,
    why: 'the mark is too old',
  });
  const late = () => performance.now() + markMs - 10_000;
  expect(await fence(situation, { now: late }).pass([ann])).toEqual({ pass: true });
  expect(situation.passed).toHaveLength(1);
});

test('no dot leaves for a mail that somebody else carries by now', async () => {
  await using situation = await beforeTheDot();
  await situation.given.query('update recipient set claim_token = gen_random_uuid()');
  expect(await fence(situation).pass([ann, bob])).toMatchObject({ pass: false });
  expect(situation.passed).toEqual([]);
});

test('no dot leaves when the database has not confirmed the mark in time', async () => {
  await using situation = await beforeTheDot();
  const { given, passed } = situation;
  await using other = openDatabase({ url: given.url, applicationName: 'other', max: 1 });
  await other.transaction(async (tx) => {
    await tx.query('select from recipient for update');
    expect(await fence(situation, { markMs: 50 }).pass([ann])).toEqual({
      pass: false,
      why: 'the database did not confirm the mark',
    });
  });
  // The mark comes all the same, and nothing follows it.
  await until(async () => (await markedIn(situation)).includes(true), { what: 'the late mark' });
  expect(passed).toEqual([]);
});

test('no dot leaves when the database is away', async () => {
  await using situation = await beforeTheDot();
  const away = openDatabase({ url: situation.given.url, applicationName: 'away' });
  await away[Symbol.asyncDispose]();
  expect(await fence({ ...situation, database: away }).pass([ann])).toMatchObject({ pass: false });
  expect(situation.passed).toEqual([]);
});

test('no dot leaves a relay that is stopping, before the mark or after it', async () => {
  await using situation = await beforeTheDot();
  const { stopping, passed } = situation;
  const no = { pass: false, why: 'this relay is stopping' };
  const stopsMeanwhile = () => {
    stopping.abort();
    return performance.now();
  };
  expect(await fence(situation, { now: stopsMeanwhile }).pass([ann])).toEqual(no);
  expect(await markedIn(situation)).toEqual([true, false]);
  expect(await fence(situation).pass([bob])).toEqual(no);
  expect(await markedIn(situation)).toEqual([true, false]);
  expect(passed).toEqual([]);
});

test('a mark that was asked for with MAIL is for everybody of the attempt, and the dot leaves under it', async () => {
  await using situation = await beforeTheDot();
  const early = fence(situation, { isEarly: true });
  early.approach();
  await until(async () => (await markedIn(situation)).every(Boolean), { what: 'the early mark' });
  expect(situation.passed).toEqual([]);
  expect(await early.pass([bob])).toEqual({ pass: true });
  expect(situation.marked).toHaveLength(1);
});

test('without other mail that waits nothing is marked before the dot', async () => {
  await using situation = await beforeTheDot();
  const usual = fence(situation);
  usual.approach();
  expect(await usual.pass([ann])).toEqual({ pass: true });
  expect(await markedIn(situation)).toEqual([true, false]);
});

test('an early mark that is too old when the provider has answered is asked for again', async () => {
  await using situation = await beforeTheDot();
  let late = markMs + 1;
  const slow = fence(situation, { isEarly: true, now: () => performance.now() + late });
  slow.approach();
  await until(() => situation.marked.length === 1);
  const passing = slow.pass([ann]);
  await until(() => situation.marked.length === 2, { what: 'the second mark' });
  expect(await passing).toEqual({ pass: false, why: 'the mark is too old' });
  late = 0;
  expect(await slow.pass([ann])).toEqual({ pass: true });
});

test('no dot leaves under an early mark of a mail that somebody else carries by now', async () => {
  await using situation = await beforeTheDot();
  await situation.given.query('update recipient set claim_token = gen_random_uuid()');
  const early = fence(situation, { isEarly: true });
  early.approach();
  expect(await early.pass([ann])).toMatchObject({ pass: false });
  expect(situation.marked).toEqual([]);
});
