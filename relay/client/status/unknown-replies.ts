// Replies that no rule knows by their words: kept as templates, without addresses, hosts and ids.
import { createHash } from 'node:crypto';
import type { Queryable } from '../../../deploy/database.ts';

export type UnknownReply = {
  readonly template: string;
  readonly cause: string;
  readonly seen: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
};

/** The newest are kept. */
const most = 200;

export async function keepUnknownReply(q: Queryable, template: string, cause: string): Promise<void> {
  await q.query(
    `with kept as (
       insert into unknown_reply (fingerprint, template, cause) values ($1, $2, $3)
       on conflict (fingerprint) do update set seen = unknown_reply.seen + 1, last_at = now(), cause = excluded.cause
     )
     delete from unknown_reply where fingerprint in (
       select fingerprint from unknown_reply order by last_at desc offset ${most - 1} for update skip locked
     ) and fingerprint <> $1`,
    [createHash('sha256').update(template).digest(), template, cause],
  );
}

export async function listUnknownReplies(q: Queryable): Promise<UnknownReply[]> {
  const { rows } = await q.query<UnknownReply>(
    `select template, cause, seen, first_at as "firstAt", last_at as "lastAt"
     from unknown_reply order by last_at desc limit ${most}`,
  );
  return rows;
}
