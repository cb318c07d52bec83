// What came of a hand-over, on the row of the email.
import type { Queryable } from '../../../deploy/database.ts';
import type { ClaimedEmail } from '../email/claimed.ts';
import type { HandOverResult } from './relay-reply.ts';

/**
 * Writes down what the relay answered. Accepted: nothing, the relay wrote it in its own transaction. Refused: the
 * email is held with the relay's words. Away: it is tried again soon; the timeline says so once for each reason.
 * An answer about an older version of the email, whose token was another one, counts for nothing.
 */
export async function recordHandOver(
  q: Queryable,
  { id, token }: Pick<ClaimedEmail, 'id' | 'token'>,
  result: HandOverResult,
): Promise<void> {
  if (result.outcome === 'refused') {
    const { code, enhanced, reply } = result;
    await q.query(
      `with held as (
         update email set
           status = 'held', reason = 'relay-refused', reason_detail = $3, next_hand_over_at = null, updated_at = now()
         where id = $1 and token = $2 and status = 'pending'
         returning id
       )
       insert into event (type, email_id, detail) select 'hand-over-refused', id, $4 from held`,
      [id, token, reply, JSON.stringify({ code, enhanced, reply })],
    );
  } else if (result.outcome === 'away') {
    // The relay is a neighbour: it is asked often, so that mail moves within seconds of its return.
    await q.query(
      `with before as (
         select id, reason_detail from email
         where id = $1 and token = $2 and status = 'pending' for no key update
       ), postponed as (
         update email e set
           next_hand_over_at = now() + make_interval(secs => least(5, 0.5 * 2 ^ least(e.hand_over_attempts, 10))),
           reason = 'relay-away', reason_detail = $3, updated_at = now()
         from before where e.id = before.id
       )
       insert into event (type, email_id, detail)
       select 'hand-over-failed', id, $4 from before where reason_detail is distinct from $3`,
      [id, token, result.why, JSON.stringify({ cause: 'relay-away', why: result.why })],
    );
  }
}
