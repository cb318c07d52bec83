// Attack: so much lies in every corner of the database that a statement which looks at all of it runs into its time
// limit, again and again. Rows are counted, not seconds: what a statement reads is the same on every machine.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase, type Queryable } from '../../deploy/database.ts';
import { forgetReports } from '../../relay/client/erasure/forget-reports.ts';
import {
  eraseBodies,
  eraseMessages,
  firstPart,
  firstPlace,
  forgetEmails,
  forgetLogins,
  forgetMessages,
  forgetSubmissionKeys,
  sweepParts,
} from '../../relay/client/erasure/retention.ts';
import { releaseHeld } from '../../relay/client/outbox/release.ts';
import { forgetRefusals } from '../../relay/client/status/refusals.ts';
import { claimDeliveries, findDueWebhooks } from '../../relay/client/webhook/outgoing.ts';
import {
  dropUndelivered,
  forgetDeletedWebhooks,
  forgetDeliveries,
} from '../../relay/client/webhook/upkeep.ts';
import { writeNotices } from '../../relay/delivery/notices/write.ts';
import { claimHeld } from '../../relay/delivery/queue/claim.ts';
import { holdUnconfigured, releaseUnconfigured } from '../../relay/delivery/queue/configuration.ts';
import { reapLeases } from '../../relay/delivery/queue/leases.ts';
import { releaseLifted } from '../../relay/delivery/queue/lifted-holds.ts';
import { resendUncertain } from '../../relay/delivery/queue/uncertain.ts';
import { forgetAudit } from '../../worker/audit.ts';
import { freshDatabase, type TestDatabase } from '../kit/database.ts';

const rows = 20_000;
/** Index entries and rows that one statement may read. The newest 10,000 proofs of a login are kept, so they are counted. */
const mostRead = 12_000;

const day = 86_400;
const instance = '01900000-0000-7000-8000-000000000001';
const someone = 'ann@example.com';

const kinds = [
  ['Q', 'queued', null, false],
  ['H', 'held', 'sender-not-owned', false],
  ['N', 'held', 'not-configured', false],
  ['S', 'sending', null, false],
  ['U', 'uncertain', 'no-final-reply', false],
  ['F', 'sent', null, true],
] as const;

const fill = [
  `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
   select kind || n, 'app', '${someone}', '${someone}', '', 1, 1
   from unnest(array['${kinds.map(([kind]) => kind).join("','")}']) kind, generate_series(1, ${rows}) n`,
  ...kinds.map(
    ([kind, status, reason, isOver]) =>
      `insert into recipient (queue_id, ordinal, address, status, priority, reason, finished_at, next_attempt_at,
         claim_token, claimed_by, lease_until, marked_at)
       select '${kind}' || n, 0, '', '${status}', 1, ${reason && `'${reason}'`},
         case when ${isOver} then now() - interval '91 days' - n * interval '1 second' end,
         case when '${status}' in ('queued', 'uncertain') then now() - n * interval '1 second' end,
         ${status === 'sending' ? `gen_random_uuid(), '${instance}', now() - interval '1 minute', null` : 'null, null, null'}
         ${status === 'sending' ? '' : `, case when '${status}' in ('sent', 'uncertain') then now() end`}
       from generate_series(1, ${rows}) n`,
  ),
  // Of half of what is finished for one recipient, another still waits: that half stays.
  `insert into recipient (queue_id, ordinal, address, status, priority, reason)
   select 'F' || n, 1, '', 'held', 1, 'sender-refused' from generate_series(1, ${rows / 2}) n`,
  `insert into message_part (queue_id, part, content, stored_at)
   select 'Z' || n, 0, '', now() - interval '2 hours' from generate_series(1, ${rows}) n`,
  `insert into email (id, kind, status, from_address, recipients, subject, text_body, message_id, token, finished_at)
   select gen_random_uuid(), 'single', 'cancelled', '${someone}', '[{"kind":"to","address":"b@example.com","name":null}]', '', '', '', '', now() - interval '91 days'
   from generate_series(1, ${rows}) n`,
  `insert into notice_owed (queue_id, ordinal, action, due_at)
   select 'F' || n, 0, 'failed', now() - n * interval '1 second' from generate_series(1, ${rows}) n`,
  `insert into login_failure (key, failures, since) select n, 1, now() - interval '1 day' from generate_series(1, ${rows}) n`,
  `insert into login_proof (credential, network, succeeded_at)
   select 'app', n, now() - n * interval '1 hour' from generate_series(1, ${rows}) n`,
  `insert into bounce_report (digest, outcome, read_at)
   select sha256(int4send(n)), 'matched', now() - interval '100 days' from generate_series(1, ${rows}) n`,
  `insert into audit_entry (id, at, actor_kind, act)
   select gen_random_uuid(), now() - interval '400 days', 'nobody', 'sign-in' from generate_series(1, ${rows}) n`,
  `insert into refusal (key, client, credential, stage, reason, sender, reply, count, last_at)
   select n, '192.0.2.0/24', 'app', 'rcpt', 'rate', '', '450 later', 1, now() - interval '91 days'
   from generate_series(1, ${rows}) n`,
  `insert into submission (credential, key, queue_id, at, lasts)
   select 'app', int4send(n), n, now() - interval '2 days', '1 day' from generate_series(1, ${rows}) n`,
  `insert into lane (key, name) values ('SMTP', 'SMTP')`,
  `insert into sender_hold (lane, sender, cause, detail, next_probe_at)
   select 'SMTP', sender, 'sender-not-owned', '', now() from unnest(array['ben@example.com', '${someone}']) sender`,
  `insert into webhook (id, url, deleted_at) values
     ('${instance}', 'https://x.example', null), ('01900000-0000-7000-8000-000000000002', 'https://y.example', now())`,
  `insert into webhook_delivery (id, webhook_id, type, data, status, next_attempt_at)
   select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, w.id, 'email.sent', '{}',
     case n % 2 when 0 then 'waiting' else 'failed' end, case n % 2 when 0 then now() end
   from webhook w, generate_series(1, ${rows}) n`,
  'vacuum analyze',
];

let given: TestDatabase;
let database: Database;
beforeAll(async () => {
  given = await freshDatabase();
  for (const statement of fill) await given.query(statement);
  database = openDatabase({ url: given.url, applicationName: 'upkeep-test', max: 2 });
});
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await given?.stop();
});

/** Of all tables and indexes, in the transaction of the statement. */
const readSoFar = `select sum(pg_stat_get_xact_tuples_returned(oid))::integer as read from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')`;

/** Runs each statement in a transaction of its own and notes how much it read. */
function counting(): Queryable & { readonly readings: number[] } {
  const readings: number[] = [];
  return {
    readings,
    query: <Row>(...statement: Parameters<Queryable['query']>) =>
      database.transaction(async (tx) => {
        const read = async () => (await tx.query<{ read: number }>(readSoFar)).rows[0]?.read ?? 0;
        const before = await read();
        const result = await tx.query<Row>(...statement);
        readings.push((await read()) - before);
        return result;
      }),
  };
}

test('what is counted is what is read', async () => {
  const q = counting();
  await q.query(`select count(*) from recipient where status = 'held' and address = 'x'`);
  expect(q.readings[0]).toBeGreaterThan(2 * rows);
});

const old = { from: firstPlace, olderThanSeconds: 90 * day };
const { signal } = new AbortController();

test.each<[name: string, work: (q: Queryable) => Promise<unknown>, answer: unknown]>([
  ['eraseBodies', (q) => eraseBodies(q, 7 * day), { count: 500, isEnd: false }],
  ['forgetEmails', (q) => forgetEmails(q, 90 * day), { count: 500, isEnd: false }],
  [
    'eraseMessages',
    (q) => eraseMessages(q, { ...old, from: firstPart }),
    expect.objectContaining({ isEnd: false }),
  ],
  ['forgetMessages', (q) => forgetMessages(q, old), expect.objectContaining({ isEnd: false })],
  ['sweepParts', (q) => sweepParts(q, firstPart), expect.objectContaining({ count: 2_000 })],
  ['forgetLogins', (q) => forgetLogins(q), expect.any(Number)],
  ['forgetRefusals', (q) => forgetRefusals(q, 90 * day), 500],
  ['forgetAudit', (q) => forgetAudit(q, 90 * day), 500],
  ['forgetReports', (q) => forgetReports(q, 90 * day), 500],
  ['forgetSubmissionKeys', (q) => forgetSubmissionKeys(q), 500],
  ['forgetDeliveries', (q) => forgetDeliveries(q), 500],
  ['dropUndelivered', (q) => dropUndelivered(q, 5_000), 500],
  ['forgetDeletedWebhooks', (q) => forgetDeletedWebhooks(q), 500],
  ['findDueWebhooks', (q) => findDueWebhooks(q), expect.objectContaining({ isAnyEnabled: true })],
  ['claimDeliveries', async (q) => (await claimDeliveries(q, instance, 8)).length, 8],
  ['releaseHeld', (q) => releaseHeld(q, 'sender-refused', 'a person'), 500],
  [
    'claimHeld',
    (q) => claimHeld(q, { lane: 'SMTP', sender: someone, instance, leaseMs: 60_000 }),
    expect.objectContaining({ sender: someone }),
  ],
  [
    'claimHeld, of a sender who has none,',
    (q) => claimHeld(q, { lane: 'SMTP', sender: 'ben@example.com', instance, leaseMs: 1 }),
    undefined,
  ],
  [
    'releaseLifted',
    async (q) => {
      await given.query("update sender_hold set lifted_at = now() where sender = 'ben@example.com'");
      return releaseLifted(q, { signal });
    },
    0,
  ],
  ['reapLeases', (q) => reapLeases(q, { leaseMs: 0, resendMs: 0, policy: 'hold' }), { length: 1_000 }],
  ['resendUncertain', (q) => resendUncertain(q), { length: 500 }],
  ['releaseUnconfigured', (q) => releaseUnconfigured(q), 1_000],
  ['holdUnconfigured', (q) => holdUnconfigured(q, ['SMTP_HOST']), 1_000],
  [
    'writeNotices',
    (q) =>
      writeNotices({ ...database, query: q.query }, { from: { email: someone }, remoteMta: null }, () => {}),
    0,
  ],
])('%s reads a batch at a time', async (_, work, answer) => {
  const q = counting();
  const answered = await work(q);
  if (Array.isArray(answered)) expect(answered).toMatchObject(answer as object);
  else expect(answered).toEqual(answer);
  expect(q.readings.length).toBeGreaterThan(0);
  expect(Math.max(...q.readings)).toBeLessThan(mostRead);
});
