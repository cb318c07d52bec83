// The bytes of a message as the relay accepted it.
import type { Queryable } from '../../../deploy/database.ts';

/** Undefined when there are none (any more). The api may read them by this function of the database only, mail by mail. */
export async function readMessageSource(q: Queryable, queueId: string): Promise<Buffer | undefined> {
  const { rows } = await q.query<{ content: Buffer }>('select content from message_source($1)', [queueId]);
  return rows.length > 0 ? Buffer.concat(rows.map(({ content }) => content)) : undefined;
}
