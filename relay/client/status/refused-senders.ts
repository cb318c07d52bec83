// What receivers refused after the provider had taken it, because of the sender and not of the recipient: by the domain
// of the From address. Delivery reports tell it (relay/bounces).
import type { Queryable } from '../../../deploy/database.ts';

export type SenderRefusal = {
  readonly domain: string;
  /** RFC 3463, such as `5.7.26`; null when the report names none. */
  readonly code: string | null;
  readonly cause: string;
  readonly count: number;
  readonly lastAt: Date;
  /** What the receiver said last. */
  readonly reply: string | null;
};

/** That a receiver does not believe the domain, or does not like where it sends from. */
const causes = ['dmarc-spf-dkim', 'ip-blocklist', 'ip-reputation', 'no-reverse-dns', 'spam-reject'];

/** Those of the last 14 days, most first. */
export async function listSenderRefusals(q: Queryable): Promise<readonly SenderRefusal[]> {
  const { rows } = await q.query<SenderRefusal>({
    name: 'list-sender-refusals',
    text: `
      select lower(substring(m.header_from from '[^@]*$')) as domain, late.enhanced_code as code,
        late.reason as cause, count(*)::integer as count, max(late.bounced_at) as "lastAt",
        (array_agg(late.reply order by late.bounced_at desc))[1] as reply
      from (
        select queue_id, reason, enhanced_code, reply, bounced_at from recipient
        where bounced_at is not null and bounced_at > now() - interval '14 days'
        order by bounced_at desc limit 10000
      ) late join message m on m.queue_id = late.queue_id
      where late.reason = any($1)
      group by 1, 2, 3 order by count(*) desc, 1, 2 limit 200`,
    values: [causes],
  });
  return rows;
}
