// What a result may still change. It comes late when the relay was frozen or cut off after the final dot, and the mail
// was given up for uncertain meanwhile.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { claimDueMail } from '../../../relay/delivery/queue/claim.ts';
import { openMarks } from '../../../relay/delivery/queue/marks.ts';
import { type Change, openResults } from '../../../relay/delivery/queue/results.ts';
import { resendUncertain } from '../../../relay/delivery/queue/uncertain.ts';
import type { ClaimedMail } from '../../../relay/policy/claimed-mail.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { until } from '../../kit/until.ts';
import { eventsOf, queueMail, recipientsOf } from './way-out.ts';

const silentLog = openLog('relay', 'silent');

type Attempt = { readonly mail: ClaimedMail; readonly markedAt: string };

const claims = (database: Database) =>
  claimDueMail(database, { instance: randomUUID(), leaseMs: 60_000, limit: 10 });

/** One mail whose final dot is out. */
async function begin(database: Database, { query }: TestDatabase): Promise<Attempt> {
  await queueMail(query);
  const [mail] = await claims(database);
  if (!mail) throw new Error('not claimed');
  const { queueId, token } = mail;
  const marked = await openMarks(database).mark({ queueId, token, ordinals: [0] });
  if (!marked) throw new Error('not marked');
  return { mail, markedAt: marked.markedAt };
}

/** No final reply came in time: nobody knows, and it is due to be sent again. */
async function giveUp({ query }: TestDatabase): Promise<void> {
  await query(
    `update recipient set status = 'uncertain', reason = 'no-final-reply', next_attempt_at = now(),
       claim_token = null, claimed_by = null, lease_until = null`,
  );
}

const answerTo = (
  { mail, markedAt }: Attempt,
  status: Change['status'],
  more: Partial<Change> = {},
): Change => ({
  queueId: mail.queueId,
  emailId: null,
  ordinal: 0,
  token: mail.token,
  markedAt,
  resends: 0,
  status,
  counts: true,
  ...more,
});

/** How many recipients the result still changed; its entry in the timeline comes with the change. */
const store = (database: Database, change: Change) =>
  openResults(database, silentLog, () => {}).store({
    changes: [change],
    entries: [
      { type: change.status, queueId: change.queueId, emailId: null, ordinal: change.ordinal, detail: {} },
    ],
  });

const firstOf = async ({ query }: TestDatabase, { mail }: Attempt) =>
  (await recipientsOf(query, mail.queueId))[0];

const told = async ({ query }: TestDatabase, { mail }: Attempt) =>
  (await eventsOf(query, mail.queueId)).map(({ type }) => type);

test.each(['queued', 'deferred'])(
  'a late 250 stops the second copy of a mail that is %s again',
  async (status) => {
    await using given = await freshDatabase();
    await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
    const attempt = await begin(database, given);
    await giveUp(given);
    expect(await resendUncertain(database)).toEqual([attempt.mail.queueId]);
    await given.query('update recipient set status = $1::mail_status', [status]);

    expect(await store(database, answerTo(attempt, 'sent', { replyCode: 250 }))).toBe(1);
    expect(await firstOf(given, attempt)).toMatchObject({ status: 'sent', replyCode: 250 });
    expect(await claims(database)).toEqual([]);
    expect(await told(given, attempt)).toEqual(['requeued', 'sent']);
  },
);

test.each(['sent', 'bounced', 'deferred'] as const)(
  'a late answer settles a mail of which nobody knew whether it arrived: %s',
  async (status) => {
    await using given = await freshDatabase();
    await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
    const attempt = await begin(database, given);
    await giveUp(given);
    const delaySeconds = status === 'deferred' ? 60 : null;
    expect(await store(database, answerTo(attempt, status, { delaySeconds }))).toBe(1);
    expect(await firstOf(given, attempt)).toMatchObject({ status });
    expect(await resendUncertain(database)).toEqual([]);
    expect(await claims(database)).toEqual([]);
  },
);

test('a late 250 settles a mail that is held, because nobody knew whether it arrived', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await given.query(
    `update recipient set status = 'held', reason = 'uncertain-twice', claim_token = null, claimed_by = null,
       lease_until = null`,
  );
  expect(await store(database, answerTo(attempt, 'sent'))).toBe(1);
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'sent' });
});

test('a late answer that is no 250 neither stops nor changes the second copy', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await giveUp(given);
  await resendUncertain(database);
  for (const status of ['bounced', 'deferred', 'uncertain', 'held', 'queued'] as const) {
    const delaySeconds = status === 'deferred' || status === 'queued' ? 60 : null;
    expect(await store(database, answerTo(attempt, status, { delaySeconds, reason: 'test' }))).toBe(0);
  }
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'queued', resends: 1, reason: null });
  expect(await told(given, attempt)).toEqual(['requeued']);
});

test('a late 250 does not stop a mail that was queued anew for another reason', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await giveUp(given);
  await given.query("update recipient set status = 'queued', reason = null, marked_at = null");
  expect(await store(database, answerTo(attempt, 'sent'))).toBe(0);
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'queued' });
});

test('who comes late and knows nothing either changes nothing', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await giveUp(given);
  for (const status of ['uncertain', 'held'] as const) {
    expect(await store(database, answerTo(attempt, status, { reason: 'test' }))).toBe(0);
  }
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'uncertain', reason: 'no-final-reply' });
});

test('a result of an attempt that reached no dot changes nothing once the claim is lost', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await giveUp(given);
  for (const status of ['sent', 'bounced', 'deferred'] as const) {
    const change = answerTo(attempt, status, { delaySeconds: status === 'deferred' ? 60 : null });
    expect(await store(database, { ...change, markedAt: null })).toBe(0);
  }
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'uncertain' });
  await resendUncertain(database);
  expect(await store(database, { ...answerTo(attempt, 'sent'), markedAt: null })).toBe(0);
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'queued' });
});

test('a result of an older attempt changes nothing while the mail is being sent once more', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await giveUp(given);
  await resendUncertain(database);
  expect(await claims(database)).toHaveLength(1);
  for (const status of ['bounced', 'uncertain', 'queued'] as const) {
    const delaySeconds = status === 'queued' ? 0 : null;
    expect(await store(database, answerTo(attempt, status, { delaySeconds, reason: 'test' }))).toBe(0);
  }
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'sending' });
});

test('an answer about the first copy says nothing about the second, of which nobody knows', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await giveUp(given);
  // Sent again under another mark, and no final reply came this time either.
  await given.query("update recipient set resends = 1, marked_at = marked_at + interval '1 second'");
  for (const status of ['bounced', 'deferred'] as const) {
    const delaySeconds = status === 'deferred' ? 60 : null;
    expect(await store(database, answerTo(attempt, status, { delaySeconds }))).toBe(0);
  }
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'uncertain' });
});

test.each([
  ['uncertain', 'no-final-reply', true],
  // A person decides, and must not be told that nothing can have left.
  ['held', 'uncertain-twice', true],
  ['held', 'sender-not-owned', false],
  ['deferred', 'mailbox-busy', false],
  ['queued', null, false],
] as const)(
  'mail that becomes %s (%s) says whether data may be out: %s',
  async (status, reason, mayBeOut) => {
    await using given = await freshDatabase();
    await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
    const attempt = await begin(database, given);
    const delaySeconds = status === 'deferred' || status === 'queued' ? 60 : null;
    expect(await store(database, answerTo(attempt, status, { reason, delaySeconds }))).toBe(1);
    const recipient = await firstOf(given, attempt);
    expect(recipient).toMatchObject({ status, reason });
    expect(recipient?.markedAt !== null).toBe(mayBeOut);
  },
);

test('a result that cannot be stored keeps no other from being stored', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempts = [await begin(database, given), await begin(database, given), await begin(database, given)];
  const results = openResults(database, silentLog, () => {});
  // A mail that is held without a reason is refused by a constraint.
  const stored = await Promise.all(
    attempts.map((attempt, index) =>
      results.store({ changes: [answerTo(attempt, index === 1 ? 'held' : 'sent')], entries: [] }),
    ),
  );
  expect(stored).toEqual([1, 0, 1]);
  expect(results.unstored).toBe(0);
  const statuses = await Promise.all(attempts.map((attempt) => firstOf(given, attempt)));
  expect(statuses.map((recipient) => recipient?.status)).toEqual(['sent', 'sending', 'sent']);
});

test('a result waits for a database that does not take it, and is stored when it does', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const attempt = await begin(database, given);
  await given.query(
    `create function fail() returns trigger language plpgsql as
     $$ begin raise exception 'shutting down' using errcode = '57P01'; end $$`,
  );
  await given.query('create trigger fails before update on recipient execute function fail()');
  let troubles = 0;
  const results = openResults(database, silentLog, () => troubles++);
  const stored = results.store({ changes: [answerTo(attempt, 'sent')], entries: [] });
  await until(() => troubles >= 2, { what: 'the result to be refused twice' });
  expect(results.unstored).toBe(1);
  await given.query('drop trigger fails on recipient');
  expect(await stored).toBe(1);
  expect(results.unstored).toBe(0);
  expect(await firstOf(given, attempt)).toMatchObject({ status: 'sent' });
});
