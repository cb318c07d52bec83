// Releasing: mail that waited for configuration or for a person goes on.
import { ring } from '../../../deploy/bell.ts';
import type { Queryable } from '../../../deploy/database.ts';
import type { Address } from '../email/email.ts';
import { newMessageId } from '../email/message-id.ts';
import { probeHeldSendersNow } from './probe.ts';

/**
 * Gives a sender to emails that were asked for while no From address was configured, and puts them back into the
 * outbox. Answers how many.
 */
export async function releaseWithoutSender(tx: Queryable, from: Address): Promise<number> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from email
     where status = 'held' and reason = 'not-configured' and queue_id is null and from_address = ''
     order by id limit 500 for no key update skip locked`,
  );
  if (rows.length === 0) return 0;
  await tx.query(
    `with released as (
       update email e set
         from_address = $3, from_name = coalesce(e.from_name, $4), message_id = given.message_id,
         status = 'pending', reason = null, reason_detail = null,
         next_hand_over_at = greatest(e.due_at, now()), updated_at = now()
       from unnest($1::uuid[], $2::text[]) as given (id, message_id) where e.id = given.id
       returning e.id
     )
     insert into event (type, email_id, detail) select 'released', id, '{"cause": "configured"}' from released`,
    [
      rows.map(({ id }) => id),
      rows.map(({ id }) => newMessageId(id, from.address)),
      from.address,
      from.name ?? null,
    ],
  );
  return rows.length;
}

/**
 * Lets mail go on that the relay holds for this reason. Mail that may be out is left alone: that is for a person to
 * resolve, one by one. Answers how many recipients were released; call again until it is none.
 */
export async function releaseHeld(tx: Queryable, reason: string, actor: string): Promise<number> {
  await probeHeldSendersNow(tx, reason);
  const { rowCount } = await tx.query(
    `with held as (
       select queue_id, ordinal from recipient
       where status = 'held' and reason = $1 and marked_at is null
       order by queue_id, ordinal limit 500 for update skip locked
     ), released as (
       update recipient r set status = 'queued', next_attempt_at = now(), reason = null, reason_detail = null
       from held h where r.queue_id = h.queue_id and r.ordinal = h.ordinal
       returning r.email_id, r.queue_id, r.address
     )
     insert into event (type, email_id, queue_id, recipient, detail)
     select 'released', email_id, queue_id, address, $2 from released`,
    [reason, JSON.stringify({ cause: reason, actor })],
  );
  if (rowCount > 0) await ring(tx, 'relay');
  return rowCount;
}
