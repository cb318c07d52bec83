// Somebody wants to know now: a person who tries a mail again, sends a test mail or releases what is held. The relay then
// does not wait until its next probe is due.
import { ring } from '../../../deploy/bell.ts';
import type { Queryable } from '../../../deploy/database.ts';

/** A refused sign-in is not repeated sooner than this, whoever asks: providers lock accounts for it. */
const signInPauseSeconds = 30;

/** The next mail of this sender asks the provider whether it takes the sender by now. */
export async function probeSenderNow(tx: Queryable, sender: string): Promise<void> {
  await tx.query(
    `update sender_hold set next_probe_at = now(), asked_for = null
     where lower(sender) = lower($1) and lifted_at is null`,
    [sender],
  );
}

/** This mail asks the provider whether it takes its sender by now. */
export async function probeSenderWith(tx: Queryable, queueId: string): Promise<void> {
  await tx.query(
    `update sender_hold h set next_probe_at = now(), asked_for = m.queue_id
     from message m
     where m.queue_id = $1 and h.sender in (m.sender, m.header_from) and h.lifted_at is null`,
    [queueId],
  );
}

/** The same for everything that is held for this reason. */
export async function probeHeldSendersNow(tx: Queryable, reason: string): Promise<void> {
  await tx.query(
    'update sender_hold set next_probe_at = now() where $1 = any(causes || cause) and lifted_at is null',
    [reason],
  );
}

/**
 * Brings the next probe of every closed lane forward: to now, or where a sign-in was refused to half a minute after that.
 * A pause that the provider asked for is kept. Answers whether there was a lane to probe.
 */
export async function probeLanesNow(tx: Queryable): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update lane set next_probe_at = least(next_probe_at, case state
       when 'unreachable' then now()
       else greatest(now(), greatest(since, probed_at) + $1 * interval '1 second') end)
     where state in ('stopped', 'unreachable')
       and exists (select from connection_slot s where s.lane = lane.key and s.lease_until > now())`,
    [signInPauseSeconds],
  );
  if (rowCount > 0) await ring(tx, 'relay');
  return rowCount > 0;
}
