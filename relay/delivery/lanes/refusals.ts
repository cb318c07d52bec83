// Whether a refusal after MAIL stops a credential. One mail alone shows little: the same words may be about its
// recipient or its content. So what was refused is kept for a day, and what was sent since speaks against it.
import { createHash } from 'node:crypto';
import type { Queryable } from '../../../deploy/database.ts';

/** Different recipients, with nothing sent in between, that make a suspicion certain. */
const enough = 3;

export type Refusal = {
  readonly lane: string;
  readonly cause: string;
  readonly recipient: string;
  readonly queueId: string;
  /** The lane's routes: what was sent by one of them counts as success. */
  readonly routes: readonly string[];
  /** The words name nobody (`Judgement.isSuspicion`). */
  readonly isSuspicion: boolean;
};

/** Keeps the refusal, and says whether the credential is to be stopped or paused for it. */
export async function concernsLane(q: Queryable, refusal: Refusal): Promise<boolean> {
  const { lane, cause, queueId, routes, isSuspicion } = refusal;
  const recipient = createHash('sha256').update(refusal.recipient.toLowerCase()).digest();
  const { rows } = await q.query<{ wasRefuted: boolean }>(
    `with stale as (
       delete from lane_refusal where refused_at < now() - interval '1 day'
     ), before as materialized (
       select max(refused_at) as refused_at from lane_refusal where lane = $1 and queue_id = $4
     ), kept as (
       insert into lane_refusal (lane, cause, recipient, queue_id) values ($1, $2, $3, $4)
       on conflict (lane, cause, recipient) do update set queue_id = excluded.queue_id, refused_at = now()
     )
     select coalesce(refused_at < (${lastSuccess('$5')}), false) as "wasRefuted" from before`,
    [lane, cause, recipient, queueId, routes],
  );
  // Words that are unmistakably about us are believed, unless the provider took other mail after it had said the same
  // to this one: then it is this mail.
  if (!isSuspicion && rows[0]?.wasRefuted !== true) return true;
  // A statement of its own, so that the last of several that are refused at once sees all of them.
  const counted = await q.query<{ recipients: number }>(
    `select count(*)::integer as recipients from lane_refusal
     where lane = $1 and cause = $2 and refused_at > coalesce((${lastSuccess('$3')}), '-infinity')`,
    [lane, cause, routes],
  );
  return (counted.rows[0]?.recipients ?? 0) >= enough;
}

const lastSuccess = (routes: string) =>
  `select finished_at from recipient
   where status = 'sent' and finished_at > now() - interval '1 day' and route = any(${routes}::text[])
   order by finished_at desc limit 1`;
