// After a standby took over, each relay that lives says what it knows: it writes again what the new primary does not
// have, and how late the newest commit was that it saw. When all have done so, what is still shown as waiting has not
// left, and goes on.
import type { Queryable } from '../../../deploy/database.ts';
import type { KnownResult, Recollection } from './recollection.ts';
import { restored } from './restored.ts';
import { keyOf, storeAgain } from './results.ts';

export type Told = {
  /** Recipients whose result, or whose doubt, was written again. */
  readonly writtenAgain: number;
  /** Mails that were answered with 250 and are not there. */
  readonly lost: readonly string[];
  /** Of those, what nobody needs to send again: it has left. */
  readonly lostAfterSending: number;
  /** From the newest commit that the new primary has to the newest that this relay saw; undefined: nothing is missing. */
  readonly missing: { readonly since: Date; readonly until: Date } | undefined;
};

/** Commits bear the time of their end and are compared with times within them. */
const slackMs = 1_000;

/** @param missingAt when this relay last said that it lives, if the new primary does not know that */
export async function tellWhatIsKnown(
  q: Queryable,
  {
    instance,
    recollection,
    since,
    missingAt,
  }: {
    instance: string;
    recollection: Recollection;
    since: Date;
    missingAt: Date | undefined;
  },
): Promise<Told> {
  const known = recollection.since(new Date(since.getTime() - slackMs));
  const leftAt = new Map(known.results.map(({ change, at }) => [change.queueId, at]));
  const seenAt = new Map([...known.taken.map(({ queueId, at }) => [queueId, at] as const), ...leftAt]);
  const lost = await findLost(q, [...seenAt.keys()]);
  await holdHandedOver(q, emailsOf(known.results, lost));
  const again = await storeAgain(
    q,
    known.results.map(({ change, entries }) => ({ changes: [change], entries })),
  );
  const until = newestOf([
    ...(missingAt ? [missingAt] : []),
    ...[...lost].flatMap((queueId) => seenAt.get(queueId) ?? []),
    ...known.results.flatMap(({ change, at }) => (again.has(keyOf(change)) ? at : [])),
  ]);
  await q.query(
    `update database_identity
     set missing_since = coalesce(least(missing_since, $2), $2), missing_until = greatest(missing_until, $3),
         asked = case when $4 then array_remove(asked, $1) else asked end`,
    [instance, since, until ?? null, known.isWhole],
  );
  return {
    writtenAgain: again.size,
    lost: [...lost],
    lostAfterSending: [...lost].filter((queueId) => leftAt.has(queueId)).length,
    missing: until && { since, until },
  };
}

function newestOf(times: readonly Date[]): Date | undefined {
  return times.reduce<Date | undefined>((newest, at) => (newest && newest > at ? newest : at), undefined);
}

async function findLost(q: Queryable, queueIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (queueIds.length === 0) return new Set();
  const { rows } = await q.query<{ queueId: string }>(
    `select queue_id as "queueId" from unnest($1::text[]) as seen (queue_id)
     where not exists (select from message m where m.queue_id = seen.queue_id)`,
    [queueIds],
  );
  return new Set(rows.map(({ queueId }) => queueId));
}

const emailsOf = (results: readonly KnownResult[], queueIds: ReadonlySet<string>): string[] => [
  ...new Set(results.flatMap(({ change }) => (queueIds.has(change.queueId) ? (change.emailId ?? []) : []))),
];

/**
 * The api's and the worker's mail that was handed over and left: here it seems to wait, and would be handed over and sent
 * again; a worker may have been quicker than this relay and have done the first already.
 */
async function holdHandedOver(q: Queryable, emailIds: readonly string[]): Promise<void> {
  if (emailIds.length === 0) return;
  await q.query(
    `with known as materialized (
       select e.id, e.queue_id from (select unnest($1::uuid[]) as id order by 1) asked
       cross join lateral (select id, queue_id from email e where e.id = asked.id for no key update) e
     ), held as (
       update email e
       set status = 'held', reason = $2, reason_detail = $3, next_hand_over_at = null, updated_at = now()
       from known where e.id = known.id and e.status = 'pending' and known.queue_id is null
       returning e.id
     ), waiting as materialized (
       select r.queue_id, r.ordinal from known
       cross join lateral (
         select queue_id, ordinal from recipient r
         where r.queue_id = known.queue_id and r.status in ('queued', 'deferred') and r.marked_at is null
         for update
       ) r
     ), held_recipient as (
       update recipient r set status = 'held', reason = $2, reason_detail = $3, next_attempt_at = null
       from waiting w where r.queue_id = w.queue_id and r.ordinal = w.ordinal
       returning r.queue_id, r.email_id, r.address
     )
     insert into event (type, email_id, queue_id, recipient, detail)
     select 'held', id, null, null, jsonb_build_object('cause', $2::text) from held
     union all
     select 'held', email_id, queue_id, address, jsonb_build_object('cause', $2::text) from held_recipient`,
    [emailIds, restored, handedOver],
  );
}

const handedOver =
  'The relay handed it to the provider before a standby took over that does not know of it. Do not send it again unless the provider does not know it either.';
