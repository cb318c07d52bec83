// A standby that took over without the last commits: what relays remember, and what becomes of the mail that was there.
import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import { unanswered } from '../../../relay/delivery/attempt/change.ts';
import { claimDueMail } from '../../../relay/delivery/queue/claim.ts';
import { tellWhatIsKnown } from '../../../relay/delivery/queue/missing-commits.ts';
import { openRecollection, remember } from '../../../relay/delivery/queue/recollection.ts';
import { judgeAsking } from '../../../relay/delivery/queue/restored.ts';
import type { Change } from '../../../relay/delivery/queue/results.ts';
import { freshDatabase } from '../../kit/database.ts';
import { queueMail, recipientsOf } from './way-out.ts';

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second));
const change = (queueId: string, status: Change['status'], more: Partial<Change> = {}): Change => ({
  queueId,
  emailId: null,
  ordinal: 0,
  token: '00000000-0000-0000-0000-000000000001',
  markedAt: '2030-01-01 00:00:03.5+00',
  resends: 0,
  status,
  ...more,
});
const known = (queueId: string, status: Change['status'], second: number, more: Partial<Change> = {}) => ({
  change: change(queueId, status, more),
  entries: [],
  at: at(second),
});
const queueIdsSince = (recollection: ReturnType<typeof openRecollection>, second: number) =>
  recollection.since(at(second)).results.map(({ change: { queueId } }) => queueId);

test.each([
  ['all relays have said what they know', [], 0.1, at(5), 'let go'],
  ['the others are still asked', ['a'], 4.9, at(5), 'wait'],
  ['one says nothing, and nobody misses anything', ['a'], 5, null, 'let go'],
  ['one says nothing, and another one misses commits', ['a'], 5, at(5), 'hold'],
  ['a restored backup', null, 0, null, 'hold'],
] as const)('%s', (_, asked, waited, until, verdict) => {
  expect(judgeAsking({ asked: asked && [...asked], waited_seconds: waited, missing_until: until })).toBe(
    verdict,
  );
});

test('a relay remembers what must not happen again, and the newest of it', () => {
  const recollection = openRecollection();
  recollection.keep(known('A', 'uncertain', 1));
  recollection.keep(known('B', 'bounced', 2, { markedAt: null }));
  recollection.keep(known('C', 'uncertain', 3));
  recollection.keep(known('D', 'held', 3));
  recollection.keep(known('E', 'held', 3, { markedAt: null }));
  recollection.keep(known('A', 'sent', 4));
  // A clear no: nothing has left.
  recollection.keep(known('C', 'deferred', 4));
  expect(queueIdsSince(recollection, 0)).toEqual(['B', 'D', 'A']);
  expect(recollection.since(at(4)).results).toMatchObject([{ change: { queueId: 'A', status: 'sent' } }]);
  expect(recollection.since(at(0)).isWhole).toBe(true);
});

test('a result that the database did not take is as old as its mark', () => {
  const recollection = openRecollection();
  const batch = { changes: [change('A', 'sent'), change('B', 'sent')], entries: [] };
  remember(recollection, batch, { keys: new Set(['A 0']), suppressed: 0, at: at(20) });
  expect(recollection.since(at(0)).results.map((each) => each.at)).toEqual([
    at(20),
    new Date(Date.UTC(2030, 0, 1, 0, 0, 3, 500)),
  ]);
});

test.each([
  ['number', { mostItems: 2, mostBytes: 1e9, lastsMs: 1e9 }],
  ['bytes', { mostItems: 1e9, mostBytes: 1_000, lastsMs: 1e9 }],
  ['time', { mostItems: 1e9, mostBytes: 1e9, lastsMs: 2_000 }],
])('what a relay remembers is bounded by %s, and it knows what it has forgotten', (_, limits) => {
  const recollection = openRecollection(limits);
  for (let second = 1; second <= 9; second++) recollection.keep(known(`Q${second}`, 'sent', second));
  expect(queueIdsSince(recollection, 0)).toEqual(['Q8', 'Q9']);
  expect(recollection.since(at(7)).isWhole).toBe(false);
  expect(recollection.since(at(8)).isWhole).toBe(true);
});

test('of mail that it took a relay remembers no octets', () => {
  const recollection = openRecollection();
  const committed = { queueId: 'A', at: at(1), handed: { content: Buffer.alloc(1_000) } };
  recollection.took([committed]);
  expect(recollection.since(at(0)).taken).toEqual([{ queueId: 'A', at: at(1) }]);
});

test('what may have left is uncertain, and an email that was handed over and left is held', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  const marked = await queueMail(given.query);
  const [mail] = await claimDueMail(database, { limit: 1, instance: randomUUID(), leaseMs: 60_000 });
  if (!mail?.recipients[0]) throw new Error('nothing was claimed');
  // The new primary has neither the claim nor the mark.
  await given.query(
    "update recipient set status = 'queued', next_attempt_at = now(), claim_token = null, claimed_by = null, lease_until = null",
  );
  const { rows } = await given.query<{ id: string; markedAt: string; at: Date }>(
    `insert into email (id, kind, from_address, recipients, subject, message_id, token, due_at, next_hand_over_at)
     values (gen_random_uuid(), 'single', 'ann@example.com', '[{"kind":"to","address":"eve@example.net","name":null}]',
       'Hello', '<1@example.com>', $1, now(), now())
     returning id, now()::text as "markedAt", now() as at`,
    [randomBytes(16)],
  );
  const [{ id, markedAt, at: now }] = rows as [{ id: string; markedAt: string; at: Date }];
  const recollection = openRecollection();
  const change = unanswered(mail, mail.recipients[0], markedAt, {
    onUncertain: 'resend',
    resendSeconds: 900,
  });
  recollection.keep({ change, entries: [], at: now });
  const gone = newQueueId();
  recollection.keep({
    change: { ...change, queueId: gone, emailId: id, status: 'sent' },
    entries: [],
    at: now,
  });

  const tell = () =>
    tellWhatIsKnown(database, { instance: randomUUID(), recollection, since: now, missingAt: undefined });
  expect(await tell()).toMatchObject({
    writtenAgain: 1,
    lost: [gone],
    lostAfterSending: 1,
    missing: { since: now, until: now },
  });
  expect((await recipientsOf(given.query, marked.queueId))[0]).toMatchObject({ status: 'uncertain' });
  expect((await given.query('select status, reason from email where id = $1', [id])).rows).toEqual([
    { status: 'held', reason: 'database-restored' },
  ]);
  // Whoever says it twice changes nothing.
  expect(await tell()).toMatchObject({ writtenAgain: 0 });
});
