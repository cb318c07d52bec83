// What all relays know about the mailbox: who reads it, how far, and how it goes. The database's clock decides.
import type { Queryable } from '../../deploy/database.ts';

export type Position = { readonly uidValidity: bigint; readonly lastUid: number };

/** Takes or keeps the lease. Undefined when another relay has it, or when it is not yet time to try again. */
export async function holdMailbox(
  q: Queryable,
  key: string,
  instance: string,
  leaseMs: number,
): Promise<boolean> {
  const { rowCount } = await q.query({
    name: 'hold-mailbox',
    text: `
      insert into bounce_mailbox as m (key, held_by, lease_until)
      values ($1, $2, now() + $3 * interval '1 millisecond')
      on conflict (key) do update set held_by = $2, lease_until = excluded.lease_until
      where (m.held_by = $2 or m.lease_until is null or m.lease_until < now())
        and (m.next_try_at is null or m.next_try_at <= now())`,
    values: [key, instance, leaseMs],
  });
  return rowCount > 0;
}

export async function leaveMailbox(q: Queryable, key: string, instance: string): Promise<void> {
  await q.query(
    'update bounce_mailbox set held_by = null, lease_until = null where key = $1 and held_by = $2',
    [key, instance],
  );
}

/** A look through all folders is over. Answers whether the mailbox could not be read before. */
export async function recordLook(q: Queryable, key: string): Promise<boolean> {
  const { rows } = await q.query<{ failed: boolean }>(
    `with before as (select state from bounce_mailbox where key = $1)
     update bounce_mailbox m set
       last_look_at = now(), state = 'reading', cause = null, detail = null, failures = 0, next_try_at = null,
       since = case when m.state = 'reading' then m.since else now() end
     from before where m.key = $1 returning before.state = 'failing' as failed`,
    [key],
  );
  return rows[0]?.failed ?? false;
}

export type MailboxFailure = {
  readonly cause: string;
  readonly detail: string;
  /** How many in a row are a failure: a session that ends after an hour is none. */
  readonly patience: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
};

/** Pauses for longer with every failure. Answers whether somebody has to be told: once until the next good look. */
export async function recordFailure(q: Queryable, key: string, failure: MailboxFailure): Promise<boolean> {
  const { rows } = await q.query<{ tell: boolean }>(
    `with before as (select state from bounce_mailbox where key = $1)
     update bounce_mailbox m set
       failures = m.failures + 1,
       state = case when m.failures + 1 >= $4 then 'failing' else m.state end,
       since = case when m.failures + 1 >= $4 and m.state <> 'failing' then now() else m.since end,
       cause = $2, detail = $3,
       next_try_at = now() + least($5::float8 * power(2, least(m.failures, 20)), $6::float8)
         * (0.8 + random() * 0.4) * interval '1 millisecond'
     from before where m.key = $1 returning m.state = 'failing' and before.state <> 'failing' as tell`,
    [key, failure.cause, failure.detail, failure.patience, failure.firstPauseMs, failure.longestPauseMs],
  );
  return rows[0]?.tell ?? false;
}

export async function readPosition(q: Queryable, key: string, folder: string): Promise<Position | undefined> {
  const { rows } = await q.query<{ uid_validity: string; last_uid: string }>(
    'select uid_validity, last_uid from bounce_folder where mailbox = $1 and folder = $2',
    [key, folder],
  );
  const row = rows[0];
  return row && { uidValidity: BigInt(row.uid_validity), lastUid: Number(row.last_uid) };
}

export async function storePosition(
  q: Queryable,
  key: string,
  folder: string,
  position: Position,
): Promise<void> {
  await q.query(
    `insert into bounce_folder (mailbox, folder, uid_validity, last_uid) values ($1, $2, $3, $4)
     on conflict (mailbox, folder) do update set uid_validity = $3, last_uid = $4`,
    [key, folder, position.uidValidity, position.lastUid],
  );
}
