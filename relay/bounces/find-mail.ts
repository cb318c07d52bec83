// The mails that a report may be about, by the ids in what it returns.
import type { Queryable } from '../../deploy/database.ts';
import type { KnownMail } from './match.ts';
import type { Returned } from './report.ts';

/** Applications may give one Message-ID to many mails; more are never looked at. */
const mailLimit = 20;

/** The surest first, and the newest of those. */
export async function findMail(
  q: Queryable,
  { messageIds, queueIds, addressedIds }: Returned,
): Promise<KnownMail[]> {
  const { rows } = await q.query<KnownMail>({
    name: 'find-reported-mail',
    text: `
      with found as (
        select queue_id, 'message-id' as by, 1 as rank from message
        where email_id = any($1::uuid[]) and message_id = any($2::text[])
        union all
        select m.queue_id, 'message-id', 1 from unnest($2::text[]) id
        join message m on m.email_id is null
          and hashtextextended(m.message_id, 0) = hashtextextended(id, 0) and m.message_id = id
        union all
        select r.queue_id, 'provider-id', 2 from unnest($3::text[]) id
        join recipient r on r.provider_queue_id = id
          and (r.provider_queue_id like '%@%' or r.provider_queue_id like '%-000000')
        union all
        select queue_id, 'queue-id', 3 from message where queue_id = any($4::text[])
      ), best as (
        select queue_id, min(rank) as rank, (array_agg(by order by rank))[1] as by
        from found group by queue_id order by rank, queue_id desc limit ${mailLimit}
      )
      select m.queue_id as "queueId", m.email_id as "emailId", best.by, e.erased_at is not null as "isErased",
        (select jsonb_agg(jsonb_build_object('ordinal', r.ordinal, 'address', r.address, 'status', r.status,
             'mayBeOut', r.marked_at is not null) order by r.ordinal)
         from recipient r where r.queue_id = m.queue_id) as recipients
      from best join message m on m.queue_id = best.queue_id
      left join email e on e.id = m.email_id
      order by best.rank, m.queue_id desc`,
    values: [
      messageIds.flatMap((id) => uuid.exec(id)?.[1] ?? []),
      messageIds.map((id) => `<${id}>`),
      // Amazon tells only the left half of its own in the 250.
      messageIds.flatMap((id) => [id, id.slice(0, id.lastIndexOf('@'))]),
      [...queueIds, ...addressedIds].filter((id) => ours.test(id)),
    ],
  });
  return rows;
}

/** Of mail of the API (relay/client/email/message-id.ts). */
const uuid = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@/i;

/** relay/client/queue-id.ts */
const ours = /^[0-9A-HJKMNP-TV-Z]{16}$/;
