// Holding the mail of a restored backup, a batch at a time: with a million mails waiting one statement would run into
// its time limit, and the relay would never start. The claims refuse what was not looked at yet (claim.ts and
// relay/client/outbox/claim.ts), so that none of it leaves meanwhile, and new mail goes on.
import type { Database, Queryable } from '../../../deploy/database.ts';

export const restored = 'database-restored';

/** Mails in one statement. */
export const restoredBatch = 1_000;

const detail =
  'The database was restored from a backup, or a standby took over without the last commits. This mail may have been sent already.';

type Restoration = {
  restored_at: Date;
  restored_up_to_message: string;
  restored_emails_left: string | null;
  missing_since: Date | null;
  missing_until: Date | null;
  /** Null for a restored backup; after a promotion the relays that have not said what they know. */
  asked: string[] | null;
  waited_seconds: number;
};

/** What a promotion has cost. */
export type MissingCommits = { readonly since: Date | null; readonly until: Date };

export type HoldingStep =
  /** Nothing to hold, or another relay is at it, or the others are still asked. */
  | { readonly state: 'idle' }
  | { readonly state: 'holding'; readonly held: number }
  /** Nothing of the backup waits any more. */
  | { readonly state: 'finished' }
  /** The relays have said what they know. Undefined when nothing is missing. */
  | { readonly state: 'known'; readonly missing: MissingCommits | undefined; readonly isHeld: boolean };

/** A relay that lives has opened a session to the new primary long before. */
const patienceSeconds = 5;

/** What becomes of the mail that was there when a standby took over. Pure. */
export function judgeAsking({
  asked,
  waited_seconds: waited,
  missing_until: until,
}: Pick<Restoration, 'asked' | 'waited_seconds' | 'missing_until'>): 'wait' | 'let go' | 'hold' {
  // Everything that left is known: by a result that was written again, or as uncertain.
  if (asked === null || asked.length === 0) return asked === null ? 'hold' : 'let go';
  if (waited < patienceSeconds) return 'wait';
  // Nobody who lives misses anything.
  return until === null ? 'let go' : 'hold';
}

/**
 * Holds the next batch. One relay works at a time; a killed one leaves nothing half-done, because progress and what
 * it is about are committed together.
 */
export async function holdRestored(database: Database): Promise<HoldingStep> {
  return database.transaction(async (tx) => {
    const { rows } = await tx.query<Restoration>(
      `select restored_at, restored_up_to_message, restored_emails_left, missing_since, missing_until, asked,
         extract(epoch from clock_timestamp() - restored_at)::float8 as waited_seconds
       from database_identity where restored_at is not null for update skip locked`,
    );
    const [restoration] = rows;
    if (!restoration) return { state: 'idle' };
    const verdict = judgeAsking(restoration);
    if (verdict === 'wait') return { state: 'idle' };
    if (verdict === 'hold') {
      const held = await holdRecipients(tx, restoration);
      if (held > 0) return { state: 'holding', held };
      if (restoration.restored_emails_left !== null)
        return { state: 'holding', held: await holdEmails(tx, restoration.restored_emails_left) };
      if (await isAnyLeft(tx, restoration)) return { state: 'holding', held: 0 };
    }
    await tx.query(
      `update database_identity
       set restored_at = null, restored_up_to_message = null, restored_up_to_email = null, asked = null`,
    );
    if (restoration.asked === null) return { state: 'finished' };
    const { missing_since: since, missing_until: until } = restoration;
    return { state: 'known', missing: until ? { since, until } : undefined, isHeld: verdict === 'hold' };
  });
}

// Each in the order of the index that holds these rows and no others: a batch reads what it changes and little else,
// however much finished mail there is. Where it is known when commits are missing, only what may have left then: what was
// due, and what a relay carried that has not said what became of it.
const waiting = [
  { where: "status in ('queued', 'deferred') and next_attempt_at <= $2", order: 'priority, next_attempt_at' },
  { where: "status = 'sending' and ($3::uuid[] is null or claimed_by = any($3))", order: 'lease_until' },
  {
    where: "status = 'uncertain' and ($3::uuid[] is null or next_attempt_at <= $2)",
    order: 'next_attempt_at',
  },
  { where: `status = 'held' and reason < '${restored}' and $3::uuid[] is null`, order: 'reason' },
  { where: `status = 'held' and reason > '${restored}' and $3::uuid[] is null`, order: 'reason' },
] as const;

const scopeOf = ({ restored_up_to_message: upTo, missing_until: until, asked }: Restoration) =>
  [upTo, asked === null ? 'infinity' : until, asked] as const;

async function holdRecipients(tx: Queryable, restoration: Restoration): Promise<number> {
  for (const { where, order } of waiting) {
    const { rows } = await tx.query<{ held: number }>(
      // `typed`, because not every condition uses all of them.
      `with typed as (select $2::timestamptz, $3::uuid[]), ours as materialized (
         select queue_id, ordinal from recipient where ${where} and queue_id <= $1
         order by ${order} limit $4 for update skip locked
       ), held as (
         update recipient r
         set status = 'held', reason = $5, reason_detail = $6, next_attempt_at = null,
             claim_token = null, claimed_by = null, lease_until = null
         from ours where r.queue_id = ours.queue_id and r.ordinal = ours.ordinal
         returning r.queue_id, r.email_id, r.address
       ), told as (
         insert into event (type, queue_id, email_id, recipient, detail)
         select 'held', queue_id, email_id, address, jsonb_build_object('cause', $5::text) from held
       )
       select count(*)::integer as held from held`,
      [...scopeOf(restoration), restoredBatch, restored, detail],
    );
    const held = rows[0]?.held ?? 0;
    if (held > 0) return held;
  }
  return 0;
}

/**
 * Emails that the relay had not taken yet but that were due: they may have been handed over and sent since. What is
 * due later than the restore cannot have been. Goes down by id, and notes how far it has come.
 */
async function holdEmails(tx: Queryable, left: string): Promise<number> {
  const { rows } = await tx.query<{ held: number }>(
    `with seen as materialized (
       select id from (
         select * from (select id from email where status = 'pending' and id < $1 order by id desc limit $2) pending
         union all
         select * from (select id from email where status = 'held' and id < $1 order by id desc limit $2) held
       ) both_of_them order by id desc limit $2
     ), ours as materialized (
       -- Mail by mail, by the primary key: a join in the order of ids would be free to walk over all emails.
       select found.id from (select id from seen order by id) s cross join database_identity i
       cross join lateral (
         select e.id from email e
         where e.id = s.id and e.id <= i.restored_up_to_email
           and e.queue_id is null
           and case when i.asked is null then e.status in ('pending', 'held') and e.due_at <= i.restored_at
             else e.status = 'pending' and e.due_at <= i.missing_until end
         for no key update
       ) found
     ), held as (
       update email e
       set status = 'held', reason = $3, reason_detail = $4, next_hand_over_at = null, updated_at = now()
       from ours where e.id = ours.id
       returning e.id
     ), told as (
       insert into event (type, email_id, detail)
       select 'held', id, jsonb_build_object('cause', $3::text) from held
     ), noted as (
       update database_identity set restored_emails_left = (select id from seen order by id limit 1)
     )
     select count(*)::integer as held from held`,
    [left, restoredBatch, restored, detail],
  );
  return rows[0]?.held ?? 0;
}

/** Also what was locked, and so skipped, when its batch came. */
async function isAnyLeft(tx: Queryable, restoration: Restoration): Promise<boolean> {
  const found = waiting.map(
    ({ where, order }) =>
      `exists (select from (
         select from recipient where ${where} and queue_id <= $1 order by ${order} limit 1) left_over)`,
  );
  const { rows } = await tx.query<{ any: boolean }>(
    `select ${found.join(' or ')} as any`,
    scopeOf(restoration),
  );
  return rows[0]?.any ?? false;
}
