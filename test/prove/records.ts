// What Postern's own tables say at the end of a run.
import { setTimeout as pause } from 'node:timers/promises';
import type { OwnPostgres } from '../kit/database.ts';
import type { Recorded } from './ledger.ts';

/** Recipients of the run's mail, as the relay shows them, and of emails that were not handed over. */
export async function readRecords({ query }: Pick<OwnPostgres, 'query'>): Promise<Recorded[]> {
  // A PostgreSQL that was killed forgot that its tables need to be analyzed, and would join ten thousand rows with ten
  // thousand one by one.
  await query('analyze');
  const { rows } = await query<Recorded>(
    `with told as (
       select queue_id, recipient,
         count(*) filter (where type = 'requeued' and detail @> '{"possibleDuplicate": true}') as again,
         count(*) filter (where type = 'uncertain') as doubts
       from event where queue_id is not null and recipient is not null group by queue_id, recipient
     ), bytes as (
       select queue_id, encode(sha256(string_agg(content, ''::bytea order by part)), 'hex') as sha256
       from message_part group by queue_id
     )
     select r.address as recipient, r.queue_id as "queueId", r.status::text as status, r.reason,
       coalesce(told.again, 0)::integer as "possibleDuplicates",
       (coalesce(told.doubts, 0) + coalesce(r.reason = 'uncertain-twice', false)::integer)::integer as "inDoubt",
       bytes.sha256
     from recipient r
     left join told on told.queue_id = r.queue_id and told.recipient = r.address
     left join bytes on bytes.queue_id = r.queue_id
     where r.address like 'm%-%@example.net'
     union all
     select a.value ->> 'address', null, e.status::text, e.reason, 0, 0, null
     from email e cross join jsonb_array_elements(e.recipients) a
     where e.queue_id is null`,
  );
  return rows;
}

/** The timeline of a recipient's mail, for whoever looks for the cause. */
export async function readHistory(
  { query }: Pick<OwnPostgres, 'query'>,
  recipient: string,
): Promise<string[]> {
  const { rows } = await query<{ line: string }>(
    `with told as (
       select at, type, queue_id, email_id, recipient, detail from event
       union all
       select received_at, 'queued', queue_id, email_id, null, submitted from message where submitted is not null
       union all
       select finished_at, 'sent', queue_id, email_id, address, sent_by from recipient where sent_by is not null
     )
     select to_char(v.at, 'HH24:MI:SS.MS') || ' ' || v.type || ' ' || coalesce(v.queue_id, '') || ' '
       || coalesce(v.recipient, '') || ' ' || v.detail as line
     from told v
     where v.queue_id in (select queue_id from recipient where address = $1)
       or v.email_id in (select id from email where recipients @> jsonb_build_array(jsonb_build_object('address', $1::text)))
     order by v.at`,
    [recipient],
  );
  return rows.map(({ line }) => line);
}

/** After the load and the last kill, this long without any progress means that nothing more will happen. */
const patienceMs = 120_000;

/** Waits until nothing moves any more; tells how many recipients still should. */
export async function settle(database: Pick<OwnPostgres, 'query'>): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let since = performance.now(); performance.now() - since < patienceMs; await pause(500)) {
    const moving = await countMoving(database);
    if (moving === 0) return 0;
    if (moving >= fewest) continue;
    fewest = moving;
    since = performance.now();
  }
  return fewest;
}

/** Recipients for whom something is still going to happen by itself. */
async function countMoving({ query }: Pick<OwnPostgres, 'query'>): Promise<number> {
  const { rows } = await query<{ n: number }>(
    `select (select count(*) from recipient
             where status in ('queued', 'sending', 'deferred') or (status = 'uncertain' and next_attempt_at is not null))::integer
          + (select count(*) from email where status = 'pending' and not paused)::integer as n`,
  );
  return rows[0]?.n ?? 0;
}
