// Every statement of every process goes by an index where a table grows with the mail or with its readers.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase, type Queryable } from '../../deploy/database.ts';
import { freshDatabase, type TestDatabase } from '../kit/database.ts';
import { writeHistory } from '../kit/history.ts';
import { isWhole, statementsOf } from '../kit/statements.ts';

/** All others have a row for each process, lane, sender, key or question, and few of those. */
const growing = new Set([
  'application',
  'bounce_report',
  'client_email_config',
  'customer',
  'email',
  'email_attachment',
  'event',
  'idempotency_key',
  'invitation',
  'lane_refusal',
  'login_failure',
  'login_proof',
  'mail_minute',
  'message',
  'message_part',
  'notice_owed',
  'owner',
  'rate_window',
  'recipient',
  'refusal',
  'search_document',
  'submission',
  'suppression',
  'webhook_delivery',
]);

/** What may read all of something, and why. */
const exceptions: Record<string, string> = {
  'api/recipients/erase.ts forgetPerson: idempotency_key':
    'a person is erased rarely, and a key lives for a day',
  'relay/client/status/clearance.ts countWaiting: recipient': 'counts what waits',
  'relay/client/erasure/erase-mentions.ts eraseKeysAndAddresses: client_email_config':
    'a person is erased rarely',
  'relay/client/erasure/erase-mentions.ts eraseMentions: recipient': 'a person is erased rarely',
  'relay/client/erasure/erase.ts eraseRecipient: recipient': 'a person is erased rarely',
  'relay/delivery/queue/leases.ts renewLeases: recipient': 'the index holds only what is being sent',
  'relay/measures.ts countWaiting: recipient': 'counts what waits',
  'relay/measures.ts countWaiting: recipient_uncertain': 'counts what is uncertain',
  'relay/submission/commit-group.ts commitStatement: suppression': 'only whether there is one',
};

const fill = [
  `with submitted as (
     insert into message (queue_id, credential, sender, header_from, message_id, size, priority, received_at)
     select 'S' || n, 'app', 'ann@example.com', 'ann@example.com', '', 900, 1, now() - n * interval '1 minute'
     from generate_series(1, 5000) n returning queue_id, received_at
   ), recipients as (
     insert into recipient (queue_id, ordinal, address, status, priority, finished_at)
     select queue_id, 0, 'ben@example.com', 'sent', 1, received_at from submitted
   )
   insert into event (type, queue_id, recipient) select 'sent', queue_id, 'ben@example.com' from submitted`,
  `insert into message_part (queue_id, part, content) select queue_id, 0, 'x' from message`,
  `insert into search_document (email_id, words) select id, to_tsvector('simple', subject) from email`,
  `insert into email_attachment (email_id, ordinal, filename, content_type, content)
   select id, 0, 'a.txt', 'text/plain', 'x' from email order by id limit 2000`,
  `insert into refusal (key, client, credential, stage, reason, sender, reply, count, last_at)
   select n, '192.0.2.0/24', 'app', 'rcpt', 'rate', 'ann@example.com', '450 later', 1, now() - n * interval '1 minute'
   from generate_series(1, 5000) n`,
  `insert into submission (credential, key, queue_id, at, lasts)
   select 'app', int4send(n), n, now() - n * interval '1 minute', '1 day' from generate_series(1, 5000) n`,
  `insert into idempotency_key (principal, method, path, key, fingerprint, status, answer, keep_until)
   select 'key', 'POST', '/v1/emails', n, 'x', 201, '{}', now() - n * interval '1 minute' from generate_series(1, 5000) n`,
  `insert into invitation (id, owner_id, token_hash, email_id, expires_at)
   select id, id, sha256(id::text::bytea), id, created_at + interval '7 days' from owner`,
  `insert into application (id, company, contact_name, email)
   select id, name, name, email from customer`,
  `insert into client_email_config (client_id, enabled, recipients)
   select id, true, '[{"address":"ann@example.com"}]' from customer`,
  `insert into login_failure (key, failures, since)
   select n, 1, now() - n * interval '1 minute' from generate_series(1, 5000) n`,
  `insert into login_proof (credential, network, succeeded_at)
   select 'app', n, now() - n * interval '1 minute' from generate_series(1, 5000) n`,
  `insert into notice_owed (queue_id, ordinal, action, due_at)
   select queue_id, ordinal, 'delayed', now() + ordinal * interval '1 minute' from recipient limit 5000`,
  `insert into mail_minute (minute, sent, bounced, expired, other)
   select now() - n * interval '1 minute', 1, 0, 0, 0 from generate_series(1, 5000) n`,
  `insert into rate_window (subject, starts_at, given)
   select n, now(), 1 from generate_series(1, 5000) n`,
  `insert into bounce_report (digest, read_at, outcome)
   select sha256(int4send(n)), now() - n * interval '1 minute', 'matched' from generate_series(1, 5000) n`,
  `insert into lane (key, name) values ('smtp', 'smtp')`,
  `insert into lane_refusal (lane, cause, recipient, queue_id)
   select 'smtp', 'mailbox-unknown', int4send(n), n from generate_series(1, 5000) n`,
  `insert into suppression (id, address, digest, reason, expires_at)
   select gen_random_uuid(), n || '@example.com', sha256(n::text::bytea), 'manual', now() + n * interval '1 minute'
   from generate_series(1, 5000) n`,
  `insert into webhook (id, url) select gen_random_uuid(), 'https://x.example' from generate_series(1, 3)`,
  `insert into webhook_delivery (id, webhook_id, type, data, status, next_attempt_at, queue_id)
   select new_webhook_event_id(), w.id, 'email.sent', '{}', case n % 3 when 0 then 'waiting' when 1 then 'failed' else 'delivered' end,
     case n % 3 when 0 then now() end, n
   from webhook w, generate_series(1, 3000) n`,
  'analyze',
];

let database: TestDatabase;
let ours: Database;
beforeAll(async () => {
  database = await freshDatabase();
  await writeHistory(database, { emails: 20_000, customers: 5_000 });
  for (const statement of fill) await database.query(statement);
  // Its sessions plan as those of the processes do.
  ours = openDatabase({ url: database.url, applicationName: 'plans-test', max: 1 });
});
afterAll(async () => {
  await ours?.[Symbol.asyncDispose]();
  await database?.stop();
});

test('the planner knows every table that grows as a filled one', async () => {
  const { rows } = await ours.query<{ relname: string }>(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and reltuples >= 1000`,
  );
  expect([...growing].filter((table) => !rows.some(({ relname }) => relname === table))).toEqual([]);
});

test('no statement reads all of a table that grows', async () => {
  const mains = ['api/main.ts', 'relay/main.ts', 'relay/doctor/main.ts', 'worker/main.ts'];
  const walks = new Set<string>();
  for (const { place, text } of statementsOf(mains).filter(isWhole)) {
    for (const relation of walkedBy(await planOf(ours, text))) walks.add(`${place}: ${relation}`);
  }
  expect([...walks].sort()).toEqual(Object.keys(exceptions).sort());
});

type Plan = {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Order By'?: string;
  readonly Plans?: readonly Plan[];
};

/** Gathers all of its input before it answers, so that a limit above it spares nothing below. */
const gathers = /^(?:Sort|Aggregate|Hash|Materialize|Memoize|WindowAgg|ModifyTable)/;

/** The tables that a plan reads from end to end, by itself or by an index. */
function walkedBy(plan: Plan, isLimited = false): string[] {
  const {
    'Node Type': node,
    'Relation Name': relation = '',
    'Index Cond': condition,
    Plans: below = [],
  } = plan;
  const isWalk =
    node === 'Seq Scan' ||
    (/^(?:Index|Bitmap Index)/.test(node) && !condition && !plan['Order By'] && !isLimited);
  const stillLimited = node === 'Limit' || (isLimited && !gathers.test(node));
  const here =
    isWalk && (relation === '' || growing.has(relation)) ? [relation || String(plan['Index Name'])] : [];
  return [...here, ...below.flatMap((child) => walkedBy(child, stillLimited))];
}

async function planOf(q: Queryable, text: string): Promise<Plan> {
  const { rows } = await q.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
    `explain (generic_plan, format json) ${text}`,
  );
  return (rows[0] as (typeof rows)[0])['QUERY PLAN'][0].Plan;
}
